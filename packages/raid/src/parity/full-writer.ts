import type { Io, SubmitTarget } from "@cev/core";
import type { ParityEngine } from "./parity-engine.ts";
import { RunWrite } from "./run-write.ts";
import { memberShare } from "./slice-memory.ts";

// Of each member in one write.
const RUN_LENGTH_MAX = 262_144;
// Over ramdisks copying gains up to chunks of 16 KiB, over files, whose requests cost more, further; longer chunks go
// down from the caller's memory.
const CHUNK_MAX = 32_768;
// Writes under way at once; more wait, so that the memory lent to them is bounded.
const ACTIVE_MAX = 16;

/** Writes of full stripes in a row, where chunks are small. */
export class FullWriter implements SubmitTarget {
  /** Where the parts of a write go, as seen by those who watch. */
  readonly name: string;
  /** Stripes of one write at most; 0: all are written one by one. */
  readonly stripesMax: number;
  readonly #engine: ParityEngine;
  readonly #free: RunWrite[] = [];
  readonly #waiting: Io[] = [];
  #activeCount = 0;
  #isStarting = false;

  constructor(engine: ParityEngine) {
    const { chunkSize, memberCount } = engine.map;
    this.name = `${engine.name} stripes`;
    this.#engine = engine;
    const runLength = Math.min(RUN_LENGTH_MAX, memberShare(engine.buffers, memberCount));
    this.stripesMax = chunkSize > CHUNK_MAX ? 0 : Math.floor(runLength / chunkSize);
  }

  /** A write of at most `stripesMax` whole stripes. */
  submit(io: Io): void {
    this.#waiting.push(io);
    this.#startWaiting();
  }

  /** @internal It has ended, and can be used again. */
  ended(write: RunWrite): void {
    this.#free.push(write);
    this.#activeCount--;
    this.#startWaiting();
  }

  #startWaiting(): void {
    // A write that ends at once comes back here: the next is started from the loop, not from within it.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      while (this.#activeCount < ACTIVE_MAX && this.#waiting.length > 0) {
        const io = this.#waiting.shift()!;
        this.#activeCount++;
        (this.#free.pop() ?? new RunWrite(this.#engine, this)).start(io);
      }
    } finally {
      this.#isStarting = false;
    }
  }
}
