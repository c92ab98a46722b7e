import { BitmapState, bitCount, hasBit } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";

const SECTOR = 512;

/** A range of the members' data, in bytes. */
export interface MemberRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the parity may be wrong after an unclean stop, in rising order, in bytes of the members' data: from the position
 * a resync had reached on, and there, with a bitmap that is up to date, only what its bits mark.
 */
export function unsyncedRanges(superblock: Superblock, bitmap: MemberBitmap | null): MemberRange[] {
  const size = superblock.sizeSectors * SECTOR;
  const start = superblock.resyncSectors === null ? size : superblock.resyncSectors * SECTOR;
  if (start >= size) return [];
  if (bitmap === null || isStale(bitmap, superblock)) return [{ start, end: size }];
  const ranges: MemberRange[] = [];
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

/** True where a byte of the members' data lies in one of the ranges. */
export function isWithin(ranges: readonly MemberRange[], memberOffset: number): boolean {
  return ranges.some(({ start, end }) => memberOffset >= start && memberOffset < end);
}
