import { runOf } from "@cev/core";
import type { Run } from "@cev/core";

const SEARCHED_MAX = 1024 * 1024;

/**
 * A 32-bit hash of a range of bytes (FNV-1a, of four bytes at a time): to notice a change, not to withstand an attacker.
 * A change within four bytes in a row, the first of them at a multiple of four from `start`, is always noticed.
 */
export function hashOf(data: Uint8Array, start = 0, length: number = data.length - start): number {
  const view = new DataView(data.buffer, data.byteOffset + start, length);
  let hash = 0x811c_9dc5;
  let at = 0;
  for (; at + 4 <= length; at += 4) hash = Math.imul(hash ^ view.getUint32(at, true), 0x0100_0193);
  for (; at < length; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x0100_0193);
  return hash >>> 0;
}

/** The index of the first byte in which two arrays differ, or -1. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return index;
  return a.length === b.length ? -1 : length;
}

/** What a disk that keeps plain bytes tells of a range: blocks of zeroes are holes. Looks at 1 MiB at most. */
export function runsOfBytes(
  bytes: Uint8Array,
  offset: number,
  length: number,
  { countMax, blockSize }: { readonly countMax: number; readonly blockSize: number },
): readonly Run[] {
  const runs: Run[] = [];
  const end = offset + Math.min(length, SEARCHED_MAX);
  for (let at = offset; at < end && runs.length < countMax;) {
    const start = at;
    let isZero = false;
    for (; at < end; at = nextBlock(at, blockSize, end)) {
      const isNextZero = bytes.subarray(at, nextBlock(at, blockSize, end)).every((byte) => byte === 0);
      if (at === start) isZero = isNextZero;
      else if (isNextZero !== isZero) break;
    }
    runs.push(...runOf(isZero ? "hole" : "data", at - start));
  }
  return runs;
}

function nextBlock(offset: number, blockSize: number, end: number): number {
  return Math.min(end, offset - (offset % blockSize) + blockSize);
}
