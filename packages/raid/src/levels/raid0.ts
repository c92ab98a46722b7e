import type { Geometry, Level } from "./level.ts";
import { wholeChunks } from "./member-size.ts";
import { zoneLevel } from "./zone-level.ts";

/**
 * What the superblock calls RAID0's layout: it only matters where members are unequal. `unknown`: it says nothing (no
 * `MD_FEATURE_RAID0_LAYOUT`), and kernels before 3.14 would have read an array of unequal members in one way, those since in the other.
 */
export const Raid0Layout = { unknown: 0, original: 1, alternate: 2 } as const;

/** Chunks in turn on all members that reach so far. */
export const raid0: Level = {
  ...zoneLevel({ name: "raid0", number: 0 }),
  hasChunks: true,
  sizeOf,
  layoutDefault: () => Raid0Layout.original,
  layoutName(layout) {
    switch (layout) {
      case Raid0Layout.unknown:
        return "-unknown-";
      case Raid0Layout.original:
        return "original";
      case Raid0Layout.alternate:
        return "alternate";
      default:
        return null;
    }
  },
  layoutNumber(name) {
    switch (name) {
      case "dangerous":
        return Raid0Layout.unknown;
      case "original":
      case "1":
        return Raid0Layout.original;
      case "alternate":
      case "2":
        return Raid0Layout.alternate;
      default:
        return null;
    }
  },
};

/** Members of different lengths (in whole chunks): then the layout must be known. */
export function isMultiZone({ memberSizes, chunkSize }: Geometry): boolean {
  const first = wholeChunks(memberSizes[0]!, chunkSize);
  return memberSizes.some((size) => wholeChunks(size, chunkSize) !== first);
}

/**
 * Where the chunk is no power of two, the kernel counts less of each member than it lays out: it masks the sectors with
 * the complement of the chunk's sectors less one (drivers/md/raid0.c, raid0_size).
 */
function sizeOf({ memberSizes, chunkSize }: Geometry): number {
  let sum = 0;
  for (const size of memberSizes) {
    const sectors = wholeChunks(size, chunkSize) / SECTOR;
    const low = sectors % 2 ** 32;
    sum += (sectors - ((low & (chunkSize / SECTOR - 1)) >>> 0)) * SECTOR;
  }
  return sum;
}

const SECTOR = 512;
