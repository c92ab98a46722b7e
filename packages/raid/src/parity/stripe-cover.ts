import type { Io } from "@cev/core";
import type { StripeMap } from "../levels/stripe.ts";

/** Requests that one write of a stripe takes on at most. */
export const REQUESTS_MAX = 256;

/**
 * What some writes, which do not overlap, cover of one stripe. Goes over it in bands: rows in which every column is
 * written wholly or not at all. Made once and used for stripe after stripe.
 */
export class StripeCover {
  readonly #map: StripeMap;
  /** By offset, rising. */
  readonly requests: Io[] = [];
  stripe = 0;
  /** Rows of the band; bytes of a chunk. */
  rowStart = 0;
  rowEnd = 0;
  /** By data column, 1: written in the band. */
  readonly written: Uint8Array;
  readonly #runEnds: Float64Array;

  constructor(map: StripeMap) {
    this.#map = map;
    this.written = new Uint8Array(map.dataCount);
    this.#runEnds = new Float64Array(map.dataCount);
  }

  begin(stripe: number): void {
    this.stripe = stripe;
    this.requests.length = 0;
  }

  /** Takes a request within the stripe on; false where it overlaps another, or there are too many. */
  tryAdd(io: Io): boolean {
    const { requests } = this;
    if (requests.length === REQUESTS_MAX) return false;
    // Mostly they come in rising order.
    let at = requests.length;
    while (at > 0 && requests[at - 1]!.offset > io.offset) at--;
    if (at > 0 && requests[at - 1]!.offset + requests[at - 1]!.length > io.offset) return false;
    if (at < requests.length && io.offset + io.length > requests[at]!.offset) return false;
    if (at === requests.length) requests.push(io);
    else requests.splice(at, 0, io);
    return true;
  }

  /** The rows in which anything is written; a request that crosses into another chunk may touch any. */
  get firstRow(): number {
    const { chunkSize } = this.#map;
    let first = chunkSize;
    for (const io of this.requests) {
      const row = this.#rowOf(io.offset);
      first = Math.min(first, row + io.length > chunkSize ? 0 : row);
    }
    return first;
  }

  get lastRow(): number {
    const { chunkSize } = this.#map;
    let last = 0;
    for (const io of this.requests)
      last = Math.max(last, Math.min(chunkSize, this.#rowOf(io.offset) + io.length));
    return last;
  }

  /** Moves to the next band from `row` on, which crosses no multiple of `lengthMax`. False: there is none. */
  next(row: number, lengthMax: number): boolean {
    const { chunkSize, dataCount } = this.#map;
    const { written } = this;
    const runEnds = this.#runEnds;
    for (let rowStart = row; rowStart < chunkSize;) {
      written.fill(0);
      const gapEnd = this.#lookAt(rowStart);
      let rowEnd = gapEnd;
      let isAny = false;
      for (let column = 0; column < dataCount; column++) {
        if (written[column] === 0) continue;
        isAny = true;
        if (runEnds[column]! < rowEnd) rowEnd = runEnds[column]!;
      }
      if (isAny) {
        this.rowStart = rowStart;
        this.rowEnd = Math.min(rowEnd, rowStart - (rowStart % lengthMax) + lengthMax);
        return true;
      }
      rowStart = gapEnd;
    }
    return false;
  }

  /** The request that holds all of a column's part of the band, or null: several do. */
  wholeOf(column: number): Io | null {
    const start = this.#startOf(column);
    const end = start + this.rowEnd - this.rowStart;
    for (const io of this.requests) {
      if (io.offset + io.length <= start) continue;
      return io.offset + io.length >= end ? io : null;
    }
    return null;
  }

  /** Where in a request's memory a column's part of the band begins. */
  dataOffsetOf(io: Io, column: number): number {
    return io.dataOffset + this.#startOf(column) - io.offset;
  }

  /** Copies a column's part of the band to one place. */
  gather(column: number, target: Uint8Array, targetOffset: number): void {
    const start = this.#startOf(column);
    const end = start + this.rowEnd - this.rowStart;
    for (const { offset, length, data, dataOffset } of this.requests) {
      const from = Math.max(start, offset);
      const to = Math.min(end, offset + length);
      if (from >= to) continue;
      const source = dataOffset + from - offset;
      target.set(data.subarray(source, source + to - from), targetOffset + from - start);
    }
  }

  /** Marks what is written at a row, and to what rows. Returns the row up to which nothing else begins. */
  #lookAt(row: number): number {
    const { chunkSize, stripeSize } = this.#map;
    const { written } = this;
    const runEnds = this.#runEnds;
    const stripeStart = this.stripe * stripeSize;
    let gapEnd = chunkSize;
    for (const io of this.requests) {
      const start = io.offset - stripeStart;
      const end = start + io.length;
      const last = Math.floor((end - 1) / chunkSize);
      for (let column = Math.floor(start / chunkSize); column <= last; column++) {
        const from = Math.max(0, start - column * chunkSize);
        const to = Math.min(chunkSize, end - column * chunkSize);
        if (to <= row) continue;
        // They come in rising order: one that begins where the last has ended makes the run longer.
        if (from <= row || (written[column] === 1 && runEnds[column] === from)) {
          written[column] = 1;
          runEnds[column] = to;
        } else if (from < gapEnd) gapEnd = from;
      }
    }
    return gapEnd;
  }

  /** Where in the array a column's part of the band begins. */
  #startOf(column: number): number {
    return this.stripe * this.#map.stripeSize + column * this.#map.chunkSize + this.rowStart;
  }

  #rowOf(offset: number): number {
    const { chunkSize } = this.#map;
    return offset - Math.floor(offset / chunkSize) * chunkSize;
  }
}
