export { cryptDriver } from "./driver.ts";
export type { CryptOptions } from "./options.ts";
export { openLuks } from "./open-luks.ts";
export type { OpenLuksOptions, OpenedLuks } from "./open-luks.ts";
export { openPlain } from "./plain/open-plain.ts";
export type { OpenPlainOptions } from "./plain/open-plain.ts";
export type { PlainSettings, PlainSettingsGiven } from "./plain/plain-settings.ts";
export { CryptLayer } from "./layer/crypt-layer.ts";
export type { CryptLayerOptions } from "./layer/crypt-layer.ts";
export type { CryptBackend } from "./cipher/sector-cipher.ts";
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
export type { CostTarget, KeyCost } from "./key/cost.ts";
export type { CommandOptions, CryptProgress } from "./commands/command.ts";
export { luksFormat } from "./commands/luks-format.ts";
export type { FormatShape, LuksFormatOptions } from "./commands/format-options.ts";
export { luksHeaderLength } from "./commands/format-plan.ts";
export { isLuks, luksTestPassphrase, luksVolumeKey } from "./commands/luks-test-passphrase.ts";
export type { LuksKeyOptions, LuksVolumeKey } from "./commands/luks-test-passphrase.ts";
export { luksAddKey } from "./commands/luks-add-key.ts";
export type { LuksAddKeyOptions } from "./commands/luks-add-key.ts";
export type { NewKeyOptions } from "./commands/new-key.ts";
export { luksChangeKey, luksConvertKey } from "./commands/luks-change-key.ts";
export type { LuksChangeKeyOptions, LuksConvertKeyOptions } from "./commands/luks-change-key.ts";
export { luksErase, luksKillSlot, luksRemoveKey } from "./commands/luks-remove-key.ts";
export type { LuksKillSlotOptions, LuksRemoveKeyOptions } from "./commands/luks-remove-key.ts";
export { luksUuid } from "./commands/luks-uuid.ts";
export type { LuksUuidOptions } from "./commands/luks-uuid.ts";
export { PERSISTENT_FLAGS, luksConfig } from "./commands/luks-config.ts";
export type { LuksConfigOptions } from "./commands/luks-config.ts";
export { luksConvert } from "./commands/luks-convert.ts";
export type { LuksConvertOptions } from "./commands/luks-convert.ts";
export { luksRepair } from "./commands/luks-repair.ts";
export type { LuksRepairOptions } from "./commands/luks-repair.ts";
export { tokenAddKeyring, tokenExport, tokenImport, tokenRemove, tokenUnassign } from "./commands/token.ts";
export type { TokenAddKeyringOptions, TokenImportOptions, TokenOptions } from "./commands/token.ts";
export { luksDump } from "./commands/luks-dump.ts";
export type { LuksDump } from "./commands/luks-dump.ts";
export type {
  DumpedDigest,
  DumpedKdf,
  DumpedKeyslot,
  DumpedSegment,
  DumpedToken,
  Luks2Facts,
} from "./commands/describe-luks2.ts";
export { luksHeaderBackup } from "./commands/luks-header-backup.ts";
export { benchmark } from "./commands/benchmark.ts";
export type {
  BenchmarkOptions,
  BenchmarkedCipher,
  BenchmarkedKdf,
  CipherResult,
  KdfResult,
} from "./commands/benchmark.ts";
export { luksHeaderRestore } from "./commands/luks-header-restore.ts";
export type { LuksHeaderRestoreOptions } from "./commands/luks-header-restore.ts";
