/** How the requests of a level are served: by one member each, by any of several copies, or by data and parity. */
export type LevelFamily = "zones" | "mirror" | "parity";

/** The shape of an array, as far as the arithmetic of its level goes. Sizes in bytes. */
export interface Geometry {
  /** `Level.number`. */
  readonly level: number;
  /** As in the superblock; what it means depends on the level. */
  readonly layout: number;
  /** 0 for RAID1, which has none. */
  readonly chunkSize: number;
  readonly memberCount: number;
  /** By member index, what each gives to the array: all the same, except for linear and RAID0. */
  readonly memberSizes: readonly number[];
}

/** What there is to know of one RAID level. Pure: numbers in, numbers out. */
export interface Level {
  /** As mdadm calls it: "raid5". */
  readonly name: string;
  /** As in the superblock; linear is -1. */
  readonly number: number;
  readonly family: LevelFamily;
  readonly memberCountMin: number;
  /** False for linear and RAID0: with a member missing there is nothing to run. */
  readonly isRedundant: boolean;
  /** Data is cut into chunks. */
  readonly hasChunks: boolean;
  /** The layout of a new array of so many members. */
  readonly layoutDefault: (memberCount: number) => number;
  /** As mdadm prints it ("left-symmetric", "near=2"; "" where the level has one layout only); null: no such layout. */
  readonly layoutName: (layout: number, memberCount: number) => string | null;
  /** The number of a layout by any of the names mdadm takes ("ls", "left-symmetric", "n2"); null: no such layout. */
  readonly layoutNumber: (name: string) => number | null;
  /** Bytes of the array. */
  readonly sizeOf: (geometry: Geometry) => number;
  /** Bytes that resync positions and bitmap bits count: a member's data, for RAID10 the array's; 0 without redundancy. */
  readonly syncSizeOf: (geometry: Geometry) => number;
  /** True while every byte of the array can be had from the members that are there. */
  readonly survives: (geometry: Geometry, isPresent: (memberIndex: number) => boolean) => boolean;
}
