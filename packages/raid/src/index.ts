export { raidDriver } from "./driver.ts";
export type { RaidOptions } from "./options.ts";
export { RaidLayer } from "./raid-layer.ts";
export type { RaidLayerOptions } from "./raid-layer.ts";
export type { ResyncProgress } from "./resync.ts";
export { RunningArray } from "./running-array.ts";
export { Member } from "./member.ts";
export type { MemberDevice, MemberState } from "./member.ts";

export { assemble } from "./assemble.ts";
export type { Assembly, Candidate, LeftOut } from "./assemble.ts";
export { decodeSuperblock, encodeSuperblock, ownRole, Role } from "./superblock.ts";
export type { Superblock, SuperblockPlace, SuperblockVersion, Timestamp } from "./superblock.ts";
export { FeatureFlag } from "./superblock-features.ts";
export { BitmapState, decodeBitmapHead, encodeBitmapHead } from "./bitmap.ts";
export type { BitmapHead, BitmapPlace } from "./bitmap.ts";
export { readBitmap, readSuperblock, superblockOffset } from "./member-scan.ts";
export type { MemberBitmap, ScanTarget } from "./member-scan.ts";

export { StripeMap } from "./stripe.ts";
export type { StripeLayout, StripeMapOptions } from "./stripe.ts";
export { RAID5_LAYOUTS } from "./raid5.ts";
export { PARITY_KERNEL, ParityKernel } from "./parity-kernel.ts";
