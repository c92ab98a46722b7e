export { lvmDriver } from "./driver.ts";
export type { LvmOptions } from "./options.ts";
export { VolumeLayer } from "./volumes/volume-layer.ts";
export type { VolumeOptions } from "./volumes/volume-layer.ts";
export { decodeLabel, encodeLabel, findLabel } from "./disk/label.ts";
export type { DiskArea, LabelSearch, PvExtension, PvLabel } from "./disk/label.ts";
export { decodeMdaHeader, encodeMdaHeader } from "./disk/mda.ts";
export type { MdaHeader, TextLocation } from "./disk/mda.ts";
export type { StructurePlace } from "./disk/bytes.ts";
export { lvmCrc } from "./disk/crc.ts";
export { TextError, parseText } from "./text/parser.ts";
export type { ConfigEntry, ConfigFloat, ConfigScalar, ConfigSection, ConfigValue } from "./text/parser.ts";
export { writeText } from "./text/writer.ts";
export { decodeGroup, identifyGroup } from "./model/group.ts";
export { encodeGroup, encodeGroupText } from "./model/encode-group.ts";
export type { TextOrigin } from "./model/encode-group.ts";
export type { TextStyle } from "./text/group-text.ts";
export type { GroupIdentity, LogicalVolume, PhysicalVolume, VolumeGroup } from "./model/group.ts";
export type { Segment } from "./model/segments.ts";
export type {
  Area,
  LogicalArea,
  Mapping,
  MirrorMapping,
  PhysicalArea,
  RaidMapping,
  RaidMember,
  SnapshotMapping,
  StripedMapping,
  TargetMapping,
  ThinMapping,
  ThinPoolMapping,
  UnknownMapping,
} from "./model/mappings.ts";
export { TextCache, scanPhysicalVolume } from "./disk/scan.ts";
export type { AreaScan, MetadataCopy, PvScan, ScanSource } from "./disk/scan.ts";
export { assembleGroups } from "./assemble/assemble.ts";
export type { AssembledGroup, Member } from "./assemble/assemble.ts";
export { dashUuid } from "./disk/uuid.ts";
export { runCommand } from "./commands/run-command.ts";
export type {
  ArchivedText,
  CommandContext,
  CommandProgress,
  CommandResult,
  CommandRow,
  MergeStore,
  MergeStoreRequest,
  PlannedWrite,
  StoreRequest,
} from "./commands/context.ts";
export type {
  AllocationPolicy,
  CommandRequest,
  ExtentsText,
  ListRequest,
  LvChangeRequest,
  LvCreateRequest,
  LvMergeRequest,
  LvRemoveRequest,
  LvRenameRequest,
  LvResizeRequest,
  PvChangeRequest,
  PvCreateRequest,
  PvOptions,
  PvRemoveRequest,
  PvResizeRequest,
  SizeText,
  TagChanges,
  VgBackupRequest,
  VgChangeRequest,
  VgCheckRequest,
  VgCreateRequest,
  VgExportRequest,
  VgExtendRequest,
  VgImportCloneRequest,
  VgImportRequest,
  VgReduceRequest,
  VgRemoveRequest,
  VgRenameRequest,
  VgRestoreRequest,
} from "./commands/request.ts";
