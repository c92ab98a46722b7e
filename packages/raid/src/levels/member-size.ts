import type { Geometry } from "./level.ts";

/** The part of a size that is whole chunks; all of it where there are none. Bytes. */
export function wholeChunks(size: number, chunkSize: number): number {
  return chunkSize === 0 ? size : Math.floor(size / chunkSize) * chunkSize;
}

/** Bytes that a level of equal members uses of each: the whole chunks of the smallest. */
export function usedMemberSize({ memberSizes, chunkSize }: Geometry): number {
  let least = Infinity;
  for (const size of memberSizes) if (size < least) least = size;
  return wholeChunks(least, chunkSize);
}
