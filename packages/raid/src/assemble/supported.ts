import { FeatureFlag } from "../metadata/superblock-features.ts";
import { fieldError } from "../metadata/superblock-fields.ts";
import type { Superblock } from "../metadata/superblock.ts";

/** What is recognised and not done, in words. */
const REFUSED: readonly (readonly [number, string])[] = [
  [FeatureFlag.reshape, "a reshape that is under way"],
  [FeatureFlag.badBlocks, "a log of bad blocks with entries"],
  [FeatureFlag.reshapeBackwards, "a reshape towards fewer members"],
  [FeatureFlag.newOffset, "a move of the data to another offset"],
  [FeatureFlag.bitmapVersioned, "a bitmap shared by a cluster"],
  [FeatureFlag.journal, "a write journal"],
  [FeatureFlag.partialParityLog, "a partial parity log"],
  [FeatureFlag.multiplePartialParityLogs, "several partial parity logs"],
  [FeatureFlag.raid0Layout, "a layout of RAID0"],
];

/** Throws `CEV_UNKNOWN_FEATURE`, by name, for the first feature that arrays cannot be opened with. */
export function checkSupported(source: string, superblock: Superblock): void {
  const { version, superOffsetSectors, features } = superblock;
  for (const [flag, name] of REFUSED) {
    if ((features & flag) === 0) continue;
    const place = { source, version, byteOffset: superOffsetSectors * 512 };
    throw fieldError(place, "features", `it uses ${name}, which is not supported yet`, "CEV_UNKNOWN_FEATURE");
  }
}
