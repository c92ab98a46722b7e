const MIB = 1024 * 1024;

/** One group of the matrix: what `groups.sh` makes by a function of this name, and what is to be expected of it. */
export interface GroupShape {
  readonly name: string;
  /** The row of the table that it counts in. */
  readonly type: string;
  /** Bytes of each physical volume. */
  readonly sizes: readonly number[];
  /** Volumes that can do without any one of their physical volumes. */
  readonly redundant: readonly string[];
  /** Those that may be refused all the same when one is missing: "core-0" is the volume core without the first. */
  readonly unsure: readonly string[];
  /** Volumes that cannot be opened outside the kernel, and are refused by name. */
  readonly refused: readonly string[];
  /** Volumes whose every read fails, if they are opened at all. */
  readonly failing: readonly string[];
  /** What it is, for those that are kept as golden sets, too; null: made when the matrix runs. */
  readonly golden: string | null;
}

interface Expectations {
  readonly type?: string;
  readonly size?: number;
  readonly redundant?: readonly string[];
  readonly unsure?: readonly string[];
  readonly refused?: readonly string[];
  readonly failing?: readonly string[];
  readonly golden?: string;
}

function shape(name: string, pvCount: number, expected: Expectations = {}): GroupShape {
  const {
    type = name,
    size = 8 * MIB,
    redundant = [],
    unsure = [],
    refused = [],
    failing = [],
    golden = null,
  } = expected;
  return {
    name,
    type,
    sizes: Array.from({ length: pvCount }, () => size),
    redundant,
    unsure,
    refused,
    failing,
    golden,
  };
}

function parityShape(name: string, pvCount: number, golden: string | null = null): GroupShape {
  return shape(name, pvCount, { redundant: ["small", "large"], ...(golden === null ? {} : { golden }) });
}

/** Every kind of group that the kernel makes for the matrix. */
export const SHAPES: readonly GroupShape[] = [
  shape("linear", 2),
  shape("areas", 4, {
    type: "linear",
    golden:
      "physical volumes without metadata, with two areas, and with ignored ones; a ring that has wrapped",
  }),
  shape("words", 3, { type: "linear" }),
  shape("striped", 3, {
    golden: "volumes striped over two and three physical volumes, and one of three segments",
  }),
  shape("mirror", 4, {
    redundant: ["core", "disk", "three"],
    // A log that was kept in memory does not tell whether the others had everything that the first image has.
    unsure: ["core-0"],
    golden: "mirrors of two and three images, with a log in memory and on disk",
  }),
  shape("raid0", 3, { golden: "RAID0 with and without metadata" }),
  shape("raid1", 3, {
    redundant: ["two", "three"],
    golden: "RAID1 of two and three images, one in two pieces",
  }),
  parityShape("raid4", 3),
  parityShape("raid5_ls", 4, "RAID5, left-symmetric, with chunks of 4 and 64 KiB, one extended"),
  parityShape("raid5_la", 3),
  parityShape("raid5_rs", 3),
  parityShape("raid5_ra", 4),
  parityShape("raid5_n", 3),
  parityShape("raid6_zr", 5, "RAID6, zero-restart, with chunks of 4 and 64 KiB, one extended"),
  parityShape("raid6_nr", 5),
  parityShape("raid6_nc", 5),
  parityShape("raid6_ls_6", 5),
  parityShape("raid6_la_6", 5),
  parityShape("raid6_rs_6", 5),
  parityShape("raid6_ra_6", 5),
  parityShape("raid6_n_6", 5),
  shape("raid10", 6, { redundant: ["four", "six"], golden: "RAID10 of four and six images" }),
  shape("degraded", 3, {
    type: "raid, degraded",
    golden: "RAID5 and RAID1 written while a physical volume was missing, which is back with old metadata",
  }),
  shape("snapshot", 2, {
    golden: "an origin with three snapshots of 4, 16 and 64 KiB chunks, written on both sides",
  }),
  shape("overflow", 2, {
    type: "snapshot",
    failing: ["full"],
    golden: "an origin with a snapshot whose store is full, and one that is good",
  }),
  shape("merge_due", 2, { type: "snapshot merged" }),
  shape("merge_half", 2, {
    type: "snapshot merged",
    size: 12 * MIB,
    golden: "a snapshot of which a part is merged into its origin",
  }),
  shape("layered", 3, {
    type: "snapshot of others",
    redundant: ["copies", "parity"],
    golden: "snapshots of a RAID1, a RAID5 and a striped volume",
  }),
  shape("targets", 1, {
    type: "error, zero",
    failing: ["errors"],
    golden: "volumes of the types error and zero",
  }),
  shape("thin", 2, {
    size: 16 * MIB,
    golden: "a thin pool with volumes, snapshots, and one with an external origin",
  }),
  shape("cache", 2, {
    type: "cache, writecache",
    refused: ["cached", "written"],
    size: 12 * MIB,
    golden: "a cached volume, one with a writecache, and a plain one",
  }),
  shape("integrity", 2, { refused: ["sure"], size: 16 * MIB }),
];
