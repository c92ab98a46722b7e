import type { Slab } from "@cev/core";
import { PARITY_KERNEL } from "../kernels/parity-kernel.ts";
import { PQ_KERNEL } from "../kernels/pq-kernel.ts";
import { Use } from "./slice-plan.ts";
import type { StripeColumns } from "./stripe-columns.ts";
import type { StripeSlice } from "./stripe-slice.ts";

/** Where the contents of columns lie: by column, memory and where in it. */
export interface ColumnContents {
  readonly data: readonly Uint8Array[];
  readonly offsets: readonly number[];
}

/** Which parities are wrong, or-ed. */
export const Wrong = { none: 0, p: 1, q: 2 } as const;

/**
 * Works out the data columns that have room but were not read, from those that were and the parities that were read
 * (`planRecovery`).
 */
export function recoverData(slice: StripeSlice): void {
  const { dataCount, uses } = slice;
  let first = -1;
  let second = -1;
  for (let column = 0; column < dataCount; column++) {
    if (uses[column] === Use.read) continue;
    if (first < 0) first = column;
    else second = column;
  }
  if (first < 0) return;
  if (second < 0 && uses[dataCount] === Use.read) recoverFromP(slice, first);
  else recoverFromQ(slice, first, second);
}

function recoverFromP(slice: StripeSlice, lost: number): void {
  const { slab, bytes } = slice.buffer!;
  const kernel = slab.kernel(PARITY_KERNEL);
  kernel.begin();
  for (let column = 0; column <= slice.dataCount; column++)
    if (column !== lost) kernel.add(bytes, slice.places[column]!);
  kernel.xorTo(addressOf(slice, lost), slice.length);
}

/** `second`: another lost column, which takes P too, or -1. */
function recoverFromQ(slice: StripeSlice, first: number, second: number): void {
  const { dataCount, columns, places, length } = slice;
  const { slab, bytes } = slice.buffer!;
  const { exponents } = columns;
  const kernel = slab.kernel(PQ_KERNEL);
  kernel.begin();
  for (let column = 0; column < dataCount; column++) {
    if (column !== first && column !== second) kernel.add(bytes, places[column]!, exponents[column]!);
  }
  const q = addressOf(slice, dataCount + 1);
  const target = addressOf(slice, first);
  if (second < 0) {
    kernel.recoverOneQ(q, exponents[first]!, target, length);
    return;
  }
  const p = addressOf(slice, dataCount);
  const secondTarget = addressOf(slice, second);
  kernel.recoverTwo(p, q, exponents[first]!, exponents[second]!, target, secondTarget, length);
}

/** Makes the parities that are `wanted` (by column) from the whole data, into their places. */
export function makeParity(slice: StripeSlice, contents: ColumnContents, wanted: Uint8Array): void {
  const { dataCount, columns, length } = slice;
  const p = wanted[dataCount] === 1 ? addressOf(slice, dataCount) : -1;
  const q = slice.parityCount === 2 && wanted[dataCount + 1] === 1 ? addressOf(slice, dataCount + 1) : -1;
  sumColumns(slice.buffer!.slab, columns, contents, p, q, length);
}

/** P and Q of all data columns go to these addresses of the slab; -1: not wanted. */
export function sumColumns(
  slab: Slab,
  columns: StripeColumns,
  { data, offsets }: ColumnContents,
  p: number,
  q: number,
  length: number,
): void {
  const { dataCount, exponents } = columns;
  if (q < 0) {
    const kernel = slab.kernel(PARITY_KERNEL);
    kernel.begin();
    for (let column = 0; column < dataCount; column++) kernel.add(data[column]!, offsets[column]!);
    kernel.xorTo(p, length);
    return;
  }
  const kernel = slab.kernel(PQ_KERNEL);
  kernel.begin();
  for (let column = 0; column < dataCount; column++)
    kernel.add(data[column]!, offsets[column]!, exponents[column]!);
  kernel.pqTo(p, q, length);
}

/** Brings the parities that were read up to date for columns that were read and are `written` now. */
export function updateParity(slice: StripeSlice, contents: ColumnContents, written: Uint8Array): void {
  const { dataCount, columns, uses, places, length } = slice;
  const { slab, bytes } = slice.buffer!;
  const { data, offsets } = contents;
  const hasQ = slice.parityCount === 2 && uses[dataCount + 1] === Use.read;
  if (!hasQ) {
    const kernel = slab.kernel(PARITY_KERNEL);
    kernel.begin();
    kernel.add(bytes, places[dataCount]!);
    for (let column = 0; column < dataCount; column++) {
      if (written[column] === 0) continue;
      kernel.add(bytes, places[column]!);
      kernel.add(data[column]!, offsets[column]!);
    }
    kernel.xorTo(addressOf(slice, dataCount), length);
    return;
  }
  const kernel = slab.kernel(PQ_KERNEL);
  kernel.begin();
  for (let column = 0; column < dataCount; column++) {
    if (written[column] === 0) continue;
    kernel.add(bytes, places[column]!, columns.exponents[column]!);
    kernel.add(data[column]!, offsets[column]!, columns.exponents[column]!);
  }
  const p = uses[dataCount] === Use.read ? addressOf(slice, dataCount) : -1;
  kernel.pqInto(p, addressOf(slice, dataCount + 1), length);
}

/**
 * Compares the parities that were read with the data, all of which is in memory, in `length` of its rows from `row` on
 * (counted from the first of the slice). Returns `Wrong` bits.
 */
export function checkParity(slice: StripeSlice, row: number, length: number): number {
  const { dataCount, columns, uses, places } = slice;
  const { slab, bytes } = slice.buffer!;
  const hasP = uses[dataCount] === Use.read;
  const hasQ = slice.parityCount === 2 && uses[dataCount + 1] === Use.read;
  if (hasQ) {
    const kernel = slab.kernel(PQ_KERNEL);
    kernel.begin();
    for (let column = 0; column < dataCount; column++)
      kernel.add(bytes, places[column]! + row, columns.exponents[column]!);
    const p = hasP ? addressOf(slice, dataCount) + row : -1;
    return kernel.checkPq(p, addressOf(slice, dataCount + 1) + row, length);
  }
  if (!hasP) return Wrong.none;
  const kernel = slab.kernel(PARITY_KERNEL);
  kernel.begin();
  for (let column = 0; column <= dataCount; column++) kernel.add(bytes, places[column]! + row);
  return kernel.xorIsZero(length) ? Wrong.none : Wrong.p;
}

/** True where all of a column's place in memory is zero. */
export function isZeroColumn(slice: StripeSlice, column: number): boolean {
  return slice.buffer!.slab.kernel(PARITY_KERNEL).isZero(addressOf(slice, column), slice.length);
}

/** The address in the slab of a column's place. */
export function addressOf(slice: StripeSlice, column: number): number {
  return slice.buffer!.address + slice.places[column]!;
}
