import { BitmapState, bitCount, hasBit } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import { syncSectors } from "../metadata/superblock-model.ts";
import type { Superblock } from "../metadata/superblock.ts";

const SECTOR = 512;

/** A range of bytes: of sync space, or of the members' data. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the redundancy may be wrong after an unclean stop, in rising order, in bytes of sync space: from the position a
 * resync had reached on, and there, with a bitmap that is up to date, only what its bits mark.
 */
export function unsyncedRanges(superblock: Superblock, bitmap: MemberBitmap | null): ByteRange[] {
  const size = syncSectors(superblock) * SECTOR;
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

/** True where a range and any of some others, which are in rising order and apart, have a byte in common. */
export function overlaps(ranges: readonly ByteRange[], start: number, end: number): boolean {
  const at = firstEndingAfter(ranges, start);
  return at < ranges.length && ranges[at]!.start < end;
}

/** The ranges with one more, in rising order and apart. */
export function insertRange(ranges: readonly ByteRange[], { start, end }: ByteRange): ByteRange[] {
  // Those that touch it become one with it.
  const from = firstEndingAfter(ranges, start - 1);
  let to = from;
  let first = start;
  let last = end;
  while (to < ranges.length && ranges[to]!.start <= end) {
    first = Math.min(first, ranges[to]!.start);
    last = Math.max(last, ranges[to]!.end);
    to++;
  }
  return ranges.toSpliced(from, to - from, { start: first, end: last });
}

/** Takes a range out of some others, which are in rising order and apart, in place. */
export function removeRange(ranges: ByteRange[], start: number, end: number): void {
  const from = firstEndingAfter(ranges, start);
  let to = from;
  const left: ByteRange[] = [];
  while (to < ranges.length && ranges[to]!.start < end) {
    const range = ranges[to++]!;
    if (range.start < start) left.push({ start: range.start, end: start });
    if (range.end > end) left.push({ start: end, end: range.end });
  }
  ranges.splice(from, to - from, ...left);
}

/** The index of the first range that ends after this byte. */
function firstEndingAfter(ranges: readonly ByteRange[], at: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.end > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
