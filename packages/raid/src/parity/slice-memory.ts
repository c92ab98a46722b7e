import type { BufferPool } from "@cev/core";

/** Bytes of each of `count` columns that one buffer of the pool can hold at most: a power of two. */
export function memberShare({ bufferLengthMax, bytesMax }: BufferPool, count: number): number {
  // What is lent is rounded up to a power of two: with more than one below the limit it would be waited for for ever.
  const lent = 2 ** Math.floor(Math.log2(Math.min(bufferLengthMax, bytesMax)));
  return 2 ** Math.floor(Math.log2(lent / count));
}
