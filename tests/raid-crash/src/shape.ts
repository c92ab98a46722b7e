/** Versions of the superblock; `dm-raid`: that of LVM's volumes, which have no UUID and always a bitmap. */
export type Version = "0.90" | "1.0" | "1.1" | "1.2" | "dm-raid";

/** What an array of a test is like. Sizes in bytes. */
export interface Shape {
  /** Of md: -1 for linear. */
  readonly level: number;
  /** Of md. */
  readonly layout: number;
  readonly version: Version;
  readonly memberCount: number;
  /** 0 for RAID1, which has none. */
  readonly chunkSize: number;
  /** Of the data of each member. */
  readonly memberSize: number;
  /** Bytes of sync space that one bit covers; 0: there is no bitmap. */
  readonly bitmapChunkSize: number;
  /** Each member has a log of bad blocks. Not with version 0.90. */
  readonly hasBadBlockLog: boolean;
  /** What each member has left for the array to grow into. */
  readonly roomSize: number;
}

/** md's number of layout 10's "near=2", "far=2", "offset=2". */
export const NEAR_2 = 0x102;
export const FAR_2 = 0x201;
export const OFFSET_2 = 0x1_0201;

const PLAIN: Shape = {
  level: 5,
  layout: 2,
  version: "1.2",
  memberCount: 4,
  chunkSize: 4096,
  memberSize: 32_768,
  bitmapChunkSize: 0,
  hasBadBlockLog: false,
  roomSize: 0,
};

/** A shape by what is unlike an ordinary RAID5. */
export function shapeOf(changes: Partial<Shape>): Shape {
  return { ...PLAIN, ...changes };
}

/** "raid10 layout 258, 4 members, 1.2, bitmap": short, for tables and names of tests. */
export function nameOfShape(shape: Shape): string {
  const { level, layout, memberCount, version, bitmapChunkSize, chunkSize } = shape;
  const name = level === -1 ? "linear" : `raid${level}`;
  const how = layout === 0 ? "" : `/${level === 10 ? `0x${layout.toString(16)}` : layout}`;
  const chunk = chunkSize === 0 ? "" : ` ${chunkSize / 1024}K`;
  return `${name}${how} ${memberCount}x${chunk} ${version}${bitmapChunkSize === 0 ? "" : " bitmap"}${shape.roomSize === 0 ? "" : " +room"}`;
}

/** How many members can be gone, whichever they are. */
export function redundancyOf({ level, memberCount }: Shape): number {
  return level <= 0 ? 0 : level === 1 ? memberCount - 1 : level === 6 ? 2 : 1;
}

/** False for linear and RAID0: with a member gone there is nothing to run. */
export function isRedundant({ level }: Shape): boolean {
  return level > 0;
}

/** True for an array whose members come and go by LVM's doing, and not by this package's. */
export function isVolume({ version }: Shape): boolean {
  return version === "dm-raid";
}

/** True for levels whose redundancy is computed. */
export function hasParity({ level }: Shape): boolean {
  return level >= 4 && level <= 6;
}
