export { raidDriver } from "./driver.ts";
export type { RaidOptions } from "./options.ts";
export { assembleArray } from "./assemble-array.ts";
export type { AssembleArrayOptions, AssembledArray } from "./assemble-array.ts";
export type { RaidCreateOption } from "./create-option.ts";
export { RaidLayer } from "./raid-layer.ts";
export type { RaidLayerOptions } from "./raid-layer.ts";
export type { SyncAction, SyncProgress } from "./array/sync-work.ts";
export type { SpeedLimits } from "./array/speed-limit.ts";
export type { GrowSizeOptions } from "./array/grow.ts";
export { RunningArray } from "./array/running-array.ts";
export { Member } from "./array/member.ts";
export type { MemberDevice, MemberState } from "./array/member.ts";

export { assemble } from "./assemble/assemble.ts";
export type { Assembly, Candidate, LeftOut } from "./assemble/assemble.ts";
export {
  decodeSuperblock,
  DeviceFlag,
  encodeSuperblock,
  memberSectors,
  ownRole,
  Role,
  syncSectors,
} from "./metadata/superblock.ts";
export type {
  MetadataVersion,
  OldDevice,
  OldSuperblockPart,
  PartialParityLog,
  Remnant,
  Remnants,
  Reshape,
  Superblock,
  SuperblockPlace,
  SuperblockVersion,
  Timestamp,
} from "./metadata/superblock.ts";
export { FeatureFlag } from "./metadata/superblock-features.ts";
export { BitmapState, decodeBitmapHead, encodeBitmapHead } from "./metadata/bitmap.ts";
export type { BitmapHead, BitmapPlace } from "./metadata/bitmap.ts";
export { planCreate } from "./metadata/create.ts";
export type { CreatePlan, PlannedDevice } from "./metadata/create.ts";
export type { PlannedWrite } from "./metadata/create-superblock.ts";
export type { CreateDevice, CreateInputs, CreateOptions } from "./metadata/create-options.ts";
export { createArray, wipeSuperblocks } from "./metadata/create-array.ts";
export type { CreateArrayOptions } from "./metadata/create-array.ts";
export { readBadBlocks, readBitmap, readSuperblock, superblockOffset } from "./metadata/member-scan.ts";
export type { BadRange } from "./metadata/bad-blocks.ts";
export type { MemberBitmap, ScanTarget } from "./metadata/member-scan.ts";

export { levelByName, levelOf } from "./levels/levels.ts";
export type { Geometry, Level } from "./levels/level.ts";
export { StripeMap } from "./levels/stripe.ts";
export type { StripeLayout, StripeMapOptions } from "./levels/stripe.ts";
export { RAID5_LAYOUTS } from "./levels/raid5.ts";
export { PARITY_KERNEL, ParityKernel } from "./kernels/parity-kernel.ts";
export { PQ_KERNEL, PqKernel } from "./kernels/pq-kernel.ts";
