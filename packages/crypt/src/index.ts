export { cryptDriver } from "./driver.ts";
export type { CryptOptions } from "./options.ts";
export { openLuks } from "./open-luks.ts";
export type { OpenLuksOptions, OpenedLuks } from "./open-luks.ts";
export { openPlain } from "./plain/open-plain.ts";
export type { OpenPlainOptions } from "./plain/open-plain.ts";
export type { PlainSettings, PlainSettingsGiven } from "./plain/plain-settings.ts";
export { CryptLayer } from "./layer/crypt-layer.ts";
export type { CryptLayerOptions } from "./layer/crypt-layer.ts";
export { KDF_LIMITS } from "./key/kdf.ts";
export type { KdfLimits } from "./key/kdf.ts";
export type {
  Argon2,
  CryptSegment,
  KeyDerivation,
  KeyDigest,
  Keyslot,
  KeyslotPriority,
  LuksVolume,
  Pbkdf2,
} from "./header/luks-volume.ts";
export { luksFormat } from "./commands/luks-format.ts";
export type { LuksFormatOptions } from "./commands/luks-format.ts";
export type { KeyCost } from "./luks2/write.ts";
export { luksAddKey } from "./commands/luks-add-key.ts";
export type { LuksAddKeyOptions } from "./commands/luks-add-key.ts";
