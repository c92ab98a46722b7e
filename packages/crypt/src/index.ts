export { cryptDriver } from "./driver.ts";
export type { CryptOptions } from "./options.ts";
export { openLuks } from "./open-luks.ts";
export type { OpenLuksOptions, OpenedLuks } from "./open-luks.ts";
export { CryptLayer } from "./crypt-layer.ts";
export type { CryptLayerOptions } from "./crypt-layer.ts";
export { KDF_LIMITS } from "./kdf.ts";
export type { KdfLimits } from "./kdf.ts";
export type {
  Argon2,
  CryptSegment,
  KeyDerivation,
  KeyDigest,
  Keyslot,
  KeyslotPriority,
  LuksVolume,
  Pbkdf2,
} from "./luks-volume.ts";
export { formatLuks2 } from "./format-luks2.ts";
export type { FormatLuks2Options } from "./format-luks2.ts";
export type { KeyCost } from "./luks2-write.ts";
export { addLuks2Key } from "./add-key.ts";
export type { AddLuks2KeyOptions } from "./add-key.ts";
