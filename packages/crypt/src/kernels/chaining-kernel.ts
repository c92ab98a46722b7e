import type { Kernel, Slab } from "@cev/core";
import { wasmBytes } from "./chaining.generated.ts";

/** Bytes of the row: a block of each of the units that are worked on side by side, or a piece of a key stream. */
export const ROW_LENGTH = 4096;
// A piece of key stream over the shortest units, 512 bytes, has this many vectors.
const VECTORS_LENGTH = (ROW_LENGTH / 512) * 16;

/**
 * The kernel of cbc and ctr bound to one slab. Addresses are bytes in the slab. Most functions work on a row of blocks, one of each of
 * `count` units, and on the same block of units that lie `stride` bytes apart.
 */
export interface ChainingKernel {
  readonly slab: Slab;
  readonly row: number;
  /** Where vectors are written that key stream is to be made of. */
  readonly vectors: number;
  /** Row = row XOR units, from the row's block number `first` on. */
  xorIntoRow(first: number, count: number, units: number, stride: number): void;
  /** Units = units XOR row. */
  xorIntoUnits(count: number, units: number, stride: number): void;
  /** Target = row; row = row XOR the next block of source. */
  stepRow(count: number, source: number, target: number, stride: number): void;
  /** Target = row. */
  storeRow(count: number, target: number, stride: number): void;
  /** Fills the row with the counters of all blocks of `count` units, from their vectors. */
  writeCounters(count: number, blocksPerUnit: number): void;
  /** Target = source XOR row, over `length` bytes. */
  xorStream(length: number, source: number, target: number): void;
}

export const chainingKernel: Kernel<ChainingKernel> = {
  bytes: wasmBytes,
  scratchLength: ROW_LENGTH + VECTORS_LENGTH,
  bind(exports, row, slab): ChainingKernel {
    const vectors = row + ROW_LENGTH;
    const xorIntoRow = exports["xorIntoRow"]!;
    const xorIntoUnits = exports["xorIntoUnits"]!;
    const stepRow = exports["stepRow"]!;
    const storeRow = exports["storeRow"]!;
    const writeCounters = exports["writeCounters"]!;
    const xorStream = exports["xorStream"]!;
    return {
      slab,
      row,
      vectors,
      xorIntoRow: (first, count, units, stride) => void xorIntoRow(row + 16 * first, count, units, stride),
      xorIntoUnits: (count, units, stride) => void xorIntoUnits(row, count, units, stride),
      stepRow: (count, source, target, stride) => void stepRow(row, count, source, target, stride),
      storeRow: (count, target, stride) => void storeRow(row, count, target, stride),
      writeCounters: (count, blocksPerUnit) => void writeCounters(vectors, row, count, blocksPerUnit),
      xorStream: (length, source, target) => void xorStream(row, length, source, target),
    };
  },
};
