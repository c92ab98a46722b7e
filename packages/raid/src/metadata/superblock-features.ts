import type { SuperblockFields } from "./superblock-fields.ts";

/** Bits of `feature_map`. */
export const FeatureFlag = {
  /** An internal write-intent bitmap. */
  bitmap: 0x1,
  /** This member is being rebuilt. */
  recovery: 0x2,
  reshape: 0x4,
  badBlocks: 0x8,
  /** This member is to replace another. */
  replacement: 0x10,
  reshapeBackwards: 0x20,
  newOffset: 0x40,
  /** This member is being rebuilt by the bitmap. */
  recoveryBitmap: 0x80,
  bitmapVersioned: 0x100,
  journal: 0x200,
  partialParityLog: 0x400,
  multiplePartialParityLogs: 0x800,
  raid0Layout: 0x1000,
} as const;

const KNOWN =
  FeatureFlag.bitmap | FeatureFlag.recovery | FeatureFlag.recoveryBitmap | FeatureFlag.replacement;

/** What is recognised and refused, in words. */
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

/** Throws `CEV_UNKNOWN_FEATURE`, by name, for the first feature that is not understood. */
export function checkFeatures(features: number, fields: SuperblockFields): void {
  for (const [flag, name] of REFUSED) {
    if ((features & flag) !== 0)
      fields.refuse("feature_map", 8, `it uses ${name}, which is not supported yet`);
  }
  const unknown = (features & ~KNOWN) >>> 0;
  if (unknown !== 0)
    fields.refuse("feature_map", 8, `it uses features that are unknown: 0x${unknown.toString(16)}`);
}
