/** Bits of `feature_map`. */
export const FeatureFlag = {
  /** An internal write-intent bitmap. */
  bitmap: 0x1,
  /** This member is being rebuilt. */
  recovery: 0x2,
  reshape: 0x4,
  /** The log of bad blocks has entries. */
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

const KNOWN = Object.values(FeatureFlag).reduce((all, flag) => all | flag, 0);

/** The bits of a feature map that nobody here has heard of. */
export function unknownFeatures(features: number): number {
  return (features & ~KNOWN) >>> 0;
}
