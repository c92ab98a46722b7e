/** The arrays that the suite is run over, as plain data. */
import { pairsOf } from "@cev/test-kit";
import { encodeRaid10Layout } from "../../src/levels/raid10-layout.ts";
import { RAID5_LAYOUTS } from "../../src/levels/raid5.ts";
import { RAID6_LAYOUTS } from "../../src/levels/raid6.ts";
import type { SuperblockVersion } from "../../src/index.ts";

const KIB = 1024;

/** In which state an array is when it is opened. */
export type ArrayState = "whole" | "degraded" | "read-only" | "rebuilding" | "not synced";

/** What an array is by itself. */
export interface ArrayShape {
  readonly name: string;
  readonly level: number;
  readonly layout?: number;
  readonly chunkSize?: number;
  /** What each member gives, in bytes. */
  readonly memberSizes: readonly number[];
  /** So many members may be missing, any of them. */
  readonly lossesMax: number;
}

/** An array, and how it is kept. */
export interface ArrayRow {
  readonly shape: ArrayShape;
  readonly version: SuperblockVersion;
  readonly bitmap: "internal" | "none";
  readonly blockSize: 512 | 4096;
  readonly state: ArrayState;
}

const equal = (count: number, size: number): number[] => new Array<number>(count).fill(size);
const UNEQUAL = [128 * KIB, 64 * KIB, 192 * KIB];

function raid10(name: string, memberCount: number, layout: number, lossesMax: number): ArrayShape {
  const memberSizes = equal(memberCount, 48 * KIB);
  return {
    name: `RAID10 ${name} of ${memberCount}`,
    level: 10,
    layout,
    chunkSize: 4 * KIB,
    memberSizes,
    lossesMax,
  };
}

const copies = (nearCount: number, farCount: number, isOffset = false): number =>
  encodeRaid10Layout({ nearCount, farCount }, isOffset);
// Far copies stay among as many members as there are copies.
const FAR_SETS = 2 << 17;

/** All levels, each in all of its layouts. */
export const SHAPES: { readonly [family: string]: readonly ArrayShape[] } = {
  linear: [{ name: "linear of three unequal members", level: -1, memberSizes: UNEQUAL, lossesMax: 0 }],
  RAID0: [
    ["original", 1, UNEQUAL] as const,
    ["alternate", 2, UNEQUAL] as const,
    ["original", 1, equal(2, 64 * KIB)] as const,
  ].map(([name, layout, memberSizes]) => ({
    name: `RAID0, ${name}, of ${memberSizes.length}`,
    ...{ level: 0, layout, chunkSize: 4 * KIB, memberSizes, lossesMax: 0 },
  })),
  RAID1: [2, 3].map((count) => ({
    name: `RAID1 of ${count}`,
    ...{ level: 1, memberSizes: equal(count, 64 * KIB), lossesMax: count - 1 },
  })),
  RAID10: [
    raid10("near=2", 4, copies(2, 1), 1),
    raid10("near=2", 3, copies(2, 1), 1),
    raid10("near=3", 4, copies(3, 1), 2),
    raid10("far=2", 3, copies(1, 2), 1),
    raid10("far=2 in sets", 4, copies(1, 2) | FAR_SETS, 1),
    raid10("offset=2", 3, copies(1, 2, true), 1),
    raid10("offset=3", 4, copies(1, 3, true), 2),
    raid10("near=2, far=2", 4, copies(2, 2), 3),
  ],
  RAID4: [2, 4].map((count) => ({
    name: `RAID4 of ${count}`,
    ...{ level: 4, chunkSize: 4 * KIB, memberSizes: equal(count, 32 * KIB), lossesMax: 1 },
  })),
  RAID5: RAID5_LAYOUTS.map(({ name, number }, index) => ({
    name: `RAID5 ${name} of ${2 + (index % 4)}`,
    level: 5,
    layout: number,
    chunkSize: index === 0 ? 64 * KIB : 4 * KIB,
    memberSizes: equal(2 + (index % 4), index === 0 ? 128 * KIB : 32 * KIB),
    lossesMax: 1,
  })),
  RAID6: RAID6_LAYOUTS.map(({ name, number }, index) => ({
    name: `RAID6 ${name} of ${4 + (index % 3)}`,
    level: 6,
    layout: number,
    chunkSize: index === 0 ? 16 * KIB : 4 * KIB,
    memberSizes: equal(4 + (index % 3), 32 * KIB),
    lossesMax: 2,
  })),
};

const VERSIONS = ["1.2", "0.90", "1.0", "1.1"] as const;
const STATES = ["degraded", "read-only", "rebuilding", "not synced"] as const;

function isPossible({ family, bitmap, state, version }: Case): boolean {
  // For a layout of RAID0 version 0.90 has no place.
  if (family === "RAID0" && version === "0.90") return false;
  return (
    (family !== "linear" && family !== "RAID0") ||
    (bitmap === "none" && (state === "whole" || state === "read-only"))
  );
}

interface Case extends Omit<ArrayRow, "shape"> {
  readonly family: string;
}

const FAMILIES = Object.keys(SHAPES);

/** Not whole: any two of these ways with one another, and each with each level. */
const CASES = pairsOf<Case>(
  {
    family: FAMILIES,
    version: VERSIONS,
    bitmap: ["internal", "none"],
    blockSize: [512, 4096],
    state: STATES,
  },
  isPossible,
);

/** Every layout whole, kept in turn in all ways; and every other state of each level in some layout. */
export const ARRAY_ROWS: { readonly [family: string]: readonly ArrayRow[] } = Object.fromEntries(
  Object.entries(SHAPES).map(([family, shapes], at) => {
    const kept = pairsOf<Case>(
      {
        family: [family],
        state: ["whole"],
        version: VERSIONS.map((_, index) => VERSIONS[(index + at) % VERSIONS.length]!),
        bitmap: ["internal", "none"],
        blockSize: [512, 4096],
      },
      isPossible,
    );
    const others = CASES.filter((one) => one.family === family);
    const count = Math.max(kept.length, shapes.length);
    return [
      family,
      [...Array.from({ length: count }, (_, index) => kept[index % kept.length]!), ...others].map(
        (one, index) => ({
          shape: shapes[index % shapes.length]!,
          ...{ version: one.version, bitmap: one.bitmap, blockSize: one.blockSize, state: one.state },
        }),
      ),
    ];
  }),
);
