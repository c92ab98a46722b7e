import { assert } from "@cev/core";
import { BIN_UNITS } from "./entry.ts";

/** Of a bin all of whose units are free. */
const WHOLE = 0xff;
/** The list of bins that have become wholly free: behind those of bins by their longest free run. */
const EMPTIED = BIN_UNITS + 1;

/** Longest run of free units, by which of a bin's eight units are free. */
function longestRuns(): Uint8Array {
  const runs = new Uint8Array(256);
  for (let mask = 0; mask < 256; mask++) {
    let run = 0;
    for (let unit = 0; unit < BIN_UNITS; unit++) {
      run = (mask & (1 << unit)) === 0 ? 0 : run + 1;
      runs[mask] = Math.max(runs[mask]!, run);
    }
  }
  return runs;
}

/**
 * Gives out runs of units, each within one bin: from the bin whose longest free run is the shortest that is long enough. So bins stay
 * whole as long as possible, and as long as fewer runs are in use than there are bins, one of eight units is found.
 */
export class Allocator {
  /** Runs that are in use. */
  runCount = 0;
  /** Units that are free. */
  freeCount: number;
  readonly #runs = longestRuns();
  /** Of each bin which units are free. */
  readonly #free: Uint8Array;
  // Doubly linked lists of the bins with the same longest free run, and of those that have become wholly free; -1 ends one.
  readonly #heads: Int32Array = new Int32Array(EMPTIED + 1).fill(-1);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(binCount: number) {
    this.#free = new Uint8Array(binCount).fill(WHOLE);
    this.#next = new Int32Array(binCount);
    this.#previous = new Int32Array(binCount);
    this.freeCount = binCount * BIN_UNITS;
    for (let bin = binCount - 1; bin >= 0; bin--) this.#link(bin, BIN_UNITS);
  }

  /** The first unit of a run that is now in use; -1: there is none. */
  allocate(unitCount: number): number {
    const bin = this.#binFor(unitCount);
    if (bin < 0) return -1;
    const mask = this.#free[bin]!;
    const wanted = (1 << unitCount) - 1;
    let unit = 0;
    while ((mask & (wanted << unit)) !== wanted << unit) unit++;
    const first = bin * BIN_UNITS + unit;
    this.take(first, unitCount);
    return first;
  }

  /** Marks a run as in use. False: some of it is in use already. */
  take(first: number, unitCount: number): boolean {
    const bin = Math.floor(first / BIN_UNITS);
    const units = maskOf(first, unitCount);
    if ((this.#free[bin]! & units) !== units) return false;
    this.#set(bin, this.#free[bin]! & ~units, EMPTIED);
    this.runCount++;
    this.freeCount -= unitCount;
    return true;
  }

  /** Gives a run back. */
  release(first: number, unitCount: number): void {
    this.#release(first, unitCount, EMPTIED);
  }

  /** A bin that has become wholly free, and is in use from now on; -1: there is none. */
  takeEmptied(): number {
    const bin = this.#heads[EMPTIED]!;
    if (bin >= 0) this.take(bin * BIN_UNITS, BIN_UNITS);
    return bin;
  }

  /** Gives a bin back that was taken so. */
  putBack(bin: number): void {
    this.#release(bin * BIN_UNITS, BIN_UNITS, BIN_UNITS);
  }

  /** What was in use lately goes first: it is there below. */
  #binFor(unitCount: number): number {
    for (let length = unitCount; length < BIN_UNITS; length++)
      if (this.#heads[length]! >= 0) return this.#heads[length]!;
    return this.#heads[EMPTIED]! >= 0 ? this.#heads[EMPTIED]! : this.#heads[BIN_UNITS]!;
  }

  /** `listOfWhole`: where the bin goes if it is wholly free now. */
  #release(first: number, unitCount: number, listOfWhole: number): void {
    const bin = Math.floor(first / BIN_UNITS);
    const units = maskOf(first, unitCount);
    assert((this.#free[bin]! & units) === 0, "what is given back was in use");
    this.#set(bin, this.#free[bin]! | units, listOfWhole);
    this.runCount--;
    this.freeCount += unitCount;
  }

  #set(bin: number, mask: number, listOfWhole: number): void {
    const isFirstEmptied = this.#heads[EMPTIED] === bin;
    const before = isFirstEmptied ? EMPTIED : this.#runs[this.#free[bin]!]!;
    const after = mask === WHOLE ? listOfWhole : this.#runs[mask]!;
    this.#free[bin] = mask;
    if (before === after) return;
    const [next, previous] = [this.#next[bin]!, this.#previous[bin]!];
    if (previous < 0) this.#heads[before] = next;
    else this.#next[previous] = next;
    if (next >= 0) this.#previous[next] = previous;
    this.#link(bin, after);
  }

  #link(bin: number, run: number): void {
    const head = this.#heads[run]!;
    this.#next[bin] = head;
    this.#previous[bin] = -1;
    if (head >= 0) this.#previous[head] = bin;
    this.#heads[run] = bin;
  }
}

const maskOf = (first: number, unitCount: number): number => ((1 << unitCount) - 1) << (first % BIN_UNITS);
