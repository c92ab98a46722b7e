import type { BufferPool } from "@cev/core";

// Columns that begin at the same place in a page fall into the same few lines of the first-level cache.
const SHIFT = 1088;
const LENGTH_MIN = 4096;
// From so many columns on it is worth a longer buffer, of which the rest is never touched: where the pool lends many.
const COUNT_MANY = 7;
const LENT_MANY = 64;

/**
 * How far apart in a buffer the places of `count` columns begin: a little more than their length, so that reading all of
 * them at once does not overload the cache, where the buffer, which is a power of two, has the room.
 */
export function strideOf(buffers: BufferPool, length: number, count: number): number {
  if (length < LENGTH_MIN || count < 2) return length;
  const total = length * count;
  const lent = 2 ** (32 - Math.clz32(total - 1));
  if (total + SHIFT * count <= lent) return length + SHIFT;
  const isWorthIt = count >= COUNT_MANY && SHIFT * count <= lent;
  const hasRoom = 2 * lent <= buffers.bufferLengthMax && 2 * lent * LENT_MANY <= buffers.bytesMax;
  return isWorthIt && hasRoom ? length + SHIFT : length;
}

/** Bytes of each of `count` columns that one buffer of the pool can hold at most: a power of two. */
export function memberShare({ bufferLengthMax, bytesMax }: BufferPool, count: number): number {
  // What is lent is rounded up to a power of two: with more than one below the limit it would be waited for for ever.
  const lent = 2 ** Math.floor(Math.log2(Math.min(bufferLengthMax, bytesMax)));
  return 2 ** Math.floor(Math.log2(lent / count));
}
