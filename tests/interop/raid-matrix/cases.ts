import { byChance } from "../matrix/by-chance.ts";

/** The superblock versions of md. */
export const VERSIONS = ["0.90", "1.0", "1.1", "1.2"] as const;
export type Version = (typeof VERSIONS)[number];

/** One array of the matrix. Its `id` says it all: what is random about it comes from a hash of the id. */
export interface ArrayCase {
  /** "raid6/ddf-N-restart/1.2/5x64K": level, layout, superblock version, members, chunk. */
  readonly id: string;
  /** As mdadm takes it: "linear", "0", "10". */
  readonly level: string;
  /** As mdadm takes it; for linear and RAID0 also whether the members are equal; "-" where there is nothing to choose. */
  readonly layout: string;
  readonly version: Version;
  readonly memberCount: number;
  /** KiB; 0 where the level has none. */
  readonly chunk: number;
}

const CHUNKS = [4, 64, 512];
const MEMBERS = [2, 3, 4, 5, 6];
const ROTATING = ["left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric"];
const DDF = ["ddf-zero-restart", "ddf-N-restart", "ddf-N-continue"];
/** RAID5 on all members but the last, and the second syndrome there. */
const WITH_LAST = [...ROTATING.map((name) => `${name}-6`), "parity-first-6"];

interface LevelPart {
  readonly level: string;
  readonly layouts: readonly string[];
  readonly memberCounts: readonly number[];
  readonly chunks: readonly number[];
}

const PARTS: readonly LevelPart[] = [
  { level: "linear", layouts: ["equal", "unequal"], memberCounts: MEMBERS, chunks: [0] },
  { level: "0", layouts: ["equal", "original", "alternate"], memberCounts: MEMBERS, chunks: CHUNKS },
  { level: "1", layouts: ["-"], memberCounts: MEMBERS, chunks: [0] },
  { level: "4", layouts: ["-"], memberCounts: MEMBERS, chunks: CHUNKS },
  {
    level: "5",
    layouts: [...ROTATING, "parity-first", "parity-last"],
    memberCounts: MEMBERS,
    chunks: CHUNKS,
  },
  {
    level: "6",
    layouts: [...ROTATING, "parity-first", "parity-last", ...DDF, ...WITH_LAST],
    memberCounts: [4, 5, 6],
    chunks: CHUNKS,
  },
  { level: "10", layouts: ["n2", "f2", "o2"], memberCounts: MEMBERS, chunks: CHUNKS },
  { level: "10", layouts: ["n3", "f3", "o3"], memberCounts: [3, 4, 5, 6], chunks: CHUNKS },
];

/** Every array of the matrix, by level, layout, version, members and chunk. */
export function allArrays(): readonly ArrayCase[] {
  return PARTS.flatMap(({ level, layouts, memberCounts, chunks }) =>
    layouts.flatMap((layout) =>
      VERSIONS.filter((version) => canTell(version, level, layout)).flatMap((version) =>
        memberCounts.flatMap((memberCount) =>
          chunks.map((chunk) => {
            const size = chunk === 0 ? `${memberCount}` : `${memberCount}x${chunk}K`;
            const id = `${levelTitle(level)}/${layout}/${version}/${size}`;
            return { id, level, layout, version, memberCount, chunk };
          }),
        ),
      ),
    ),
  );
}

/** Version 0.90 has no place for the layout of a RAID0 of unequal members: neither kernel nor mdadm takes one. */
function canTell(version: Version, level: string, layout: string): boolean {
  return version !== "0.90" || level !== "0" || layout === "equal";
}

/** "raid5", "linear": how tables and reports call a level. */
export function levelTitle(level: string): string {
  return level === "linear" ? level : `raid${level}`;
}

/** Whether the level has copies or parity, and with them resync, rebuild and check. */
export function isRedundant({ level }: ArrayCase): boolean {
  return level !== "linear" && level !== "0";
}

/** An array and the members (indices) that are missing from it, as in "raid6/left-symmetric/1.2/5x64K-0,3". */
export function setId(array: ArrayCase, missing: readonly number[]): string {
  return missing.length === 0 ? array.id : `${array.id}-${missing.join(",")}`;
}

/** So many arrays, those of every level and layout in turn; which ones, the seed decides. */
export function sampleArrays(arrays: readonly ArrayCase[], count: number, seed: number): ArrayCase[] {
  const rows = new Map<string, ArrayCase[]>();
  for (const array of arrays) {
    const row = `${array.level}/${array.layout}`;
    rows.set(row, [...(rows.get(row) ?? []), array]);
  }
  const mixed = [...rows.values()].map((row) => byChance(row, (array) => array.id, seed));
  const sample: ArrayCase[] = [];
  for (let turn = 0; sample.length < Math.min(count, arrays.length); turn++)
    for (const row of mixed) {
      const array = row[turn];
      if (array !== undefined && sample.length < count) sample.push(array);
    }
  return sample;
}
