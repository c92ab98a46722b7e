import { BitmapState, bitCount, hasBit } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";

const SECTOR = 512;

/** A range of bytes: of sync space, or of the members' data. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the parity may be wrong after an unclean stop, in rising order, in bytes of the members' data: from the position
 * a resync had reached on, and there, with a bitmap that is up to date, only what its bits mark.
 */
export function unsyncedRanges(superblock: Superblock, bitmap: MemberBitmap | null): ByteRange[] {
  const size = superblock.sizeSectors * SECTOR;
  const start = superblock.resyncSectors === null ? size : superblock.resyncSectors * SECTOR;
  if (start >= size) return [];
  if (bitmap === null || isStale(bitmap, superblock)) return [{ start, end: size }];
  const ranges: ByteRange[] = [];
  const { chunkSize } = bitmap.head;
  for (let index = 0; index < bitCount(bitmap.head); index++) {
    if (!hasBit(bitmap.bits, index)) continue;
    const from = Math.max(start, index * chunkSize);
    const end = Math.min(size, (index + 1) * chunkSize);
    if (from >= end) continue;
    const last = ranges.at(-1);
    if (last?.end === from) ranges[ranges.length - 1] = { start: last.start, end };
    else ranges.push({ start: from, end });
  }
  return ranges;
}

/** True for a bitmap that says so itself, or that missed events of its superblock: all of it counts as set. */
export function isStale(bitmap: MemberBitmap, superblock: Superblock): boolean {
  return (bitmap.head.state & BitmapState.stale) !== 0 || bitmap.head.eventCount < superblock.eventCount;
}

/** True where a range and any of some others have a byte in common. */
export function overlaps(ranges: readonly ByteRange[], start: number, end: number): boolean {
  return ranges.some((range) => range.start < end && start < range.end);
}
