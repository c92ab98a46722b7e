import type { PhysicalVolume } from "./group.ts";

/** A run of extents on a physical volume. */
export interface PhysicalArea {
  readonly kind: "physical";
  readonly physicalVolume: PhysicalVolume;
  readonly startExtent: number;
  readonly extentCount: number;
}

/** A run of extents of another volume of the group, by its name; mostly a hidden one. */
export interface LogicalArea {
  readonly kind: "logical";
  readonly volume: string;
  readonly startExtent: number;
  readonly extentCount: number;
}

export type Area = PhysicalArea | LogicalArea;

/** Linear (one stripe) or striped over several areas of equal length. */
export interface StripedMapping {
  readonly kind: "striped";
  readonly areas: readonly Area[];
  /** Bytes; 0 with one stripe. */
  readonly stripeSize: number;
}

/** Reads and writes fail, or give and swallow zeroes. */
export interface TargetMapping {
  readonly kind: "error" | "zero";
}

/** Copies that are kept alike by a log of regions (dm-mirror). */
export interface MirrorMapping {
  readonly kind: "mirror";
  readonly images: readonly Area[];
  /** Name of the volume that holds the log; null: it is kept in memory. */
  readonly log: string | null;
  /** Bytes; 0 where the metadata does not say. */
  readonly regionSize: number;
  /** A move of extents that is under way stands at this extent; null: nothing is moved. */
  readonly extentsMoved: number | null;
}

/** One member of a RAID volume. */
export interface RaidMember {
  /** Name of the volume with its superblock and bitmap (`rmeta`); null: it has none. */
  readonly meta: string | null;
  /** Name of the volume with its data (`rimage`). */
  readonly data: string;
}

/** What dm-raid makes of its members. The level is the segment's type: "raid1", "raid5", "raid5_ra", "raid10"… */
export interface RaidMapping {
  readonly kind: "raid";
  readonly members: readonly RaidMember[];
  /** Bytes; 0: mirrored. */
  readonly stripeSize: number;
  /** Bytes that a bit of the bitmaps covers; 0 where the metadata does not say. */
  readonly regionSize: number;
  /** Copies of everything (raid10); 0 where the metadata does not say. */
  readonly copyCount: number;
  /** Why it cannot be opened although its level can, such as a reshape under way; null: it can. */
  readonly hindrance: string | null;
}

/** A classic snapshot: what its origin held, as far as that was overwritten in either of them, lies in a store. */
export interface SnapshotMapping {
  readonly kind: "snapshot";
  /** Names of volumes. */
  readonly origin: string;
  readonly store: string;
  /** Bytes. */
  readonly chunkSize: number;
  /** It is being merged back into its origin. */
  readonly isMerging: boolean;
}

/** Where thin volumes lie: extents for their data, and extents for the trees that say which is whose. */
export interface ThinPoolMapping {
  readonly kind: "thin-pool";
  /** Names of volumes. */
  readonly metadata: string;
  readonly data: string;
  readonly transactionId: number;
  /** Bytes. */
  readonly chunkSize: number;
}

/** A volume within a thin pool. */
export interface ThinMapping {
  readonly kind: "thin";
  /** Name of the pool. */
  readonly pool: string;
  /** The pool's transaction that made it. */
  readonly transactionId: number;
  /** What the pool's own metadata calls it. */
  readonly deviceId: number;
  /** Name of the thin volume that it is a snapshot of, which is of no consequence for reading it; null: none. */
  readonly origin: string | null;
  /** Name of a volume outside the pool that holds what was never written here; null: zeroes. */
  readonly externalOrigin: string | null;
  /** Name of the volume that it is to be merged into; null: none. */
  readonly merge: string | null;
}

/** A segment that cannot be opened; `reason` says what it is and what would be needed, in a few words. */
export interface UnknownMapping {
  readonly kind: "unknown";
  readonly reason: string;
}

export type Mapping =
  | StripedMapping
  | TargetMapping
  | MirrorMapping
  | RaidMapping
  | SnapshotMapping
  | ThinPoolMapping
  | ThinMapping
  | UnknownMapping;
