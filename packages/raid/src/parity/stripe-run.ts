import type { CevError } from "@cev/core";
import type { ParityEngine } from "./parity-engine.ts";
import type { StripeLock } from "./stripe-locks.ts";

/**
 * Some stripes in a row that are to be written as a whole: their locks, taken in rising order so that nobody waits for
 * each other, and the metadata that says that they are about to change. Used for one run after the other.
 */
export class StripeRun {
  readonly #engine: ParityEngine;
  readonly #owner: { onRun(error: CevError | null): void };
  readonly #locks: StripeLock[] = [];
  first = 0;
  count = 0;
  #isBegun = false;

  /** `owner` is told when the run may be written, or why it cannot be. */
  constructor(engine: ParityEngine, owner: { onRun(error: CevError | null): void }) {
    this.#engine = engine;
    this.#owner = owner;
  }

  /** In bytes of the members' data. */
  get start(): number {
    return this.first * this.#engine.map.chunkSize;
  }

  get end(): number {
    return (this.first + this.count) * this.#engine.map.chunkSize;
  }

  begin(first: number, count: number): void {
    this.first = first;
    this.count = count;
    this.#isBegun = false;
    this.#engine.locks.acquire(first, true, locked, this);
  }

  /** Gives the locks back. `isComplete`: every member holds what was written, or has been failed. */
  leave(isComplete: boolean): void {
    if (this.#isBegun) this.#engine.array.keeper!.endWrite(this.start, this.end, isComplete);
    for (let lock = this.#locks.pop(); lock !== undefined; lock = this.#locks.pop())
      this.#engine.locks.release(lock);
  }

  /** @internal */
  onLocked(lock: StripeLock): void {
    this.#locks.push(lock);
    if (this.#locks.length < this.count) {
      this.#engine.locks.acquire(lock.stripe + 1, true, locked, this);
      return;
    }
    const keeper = this.#engine.array.keeper!;
    if (keeper.tryStartWrite(this.start, this.end)) this.onPrepared(null);
    else keeper.startWrite(this.start, this.end, prepared, this);
  }

  /** @internal */
  onPrepared(error: CevError | null): void {
    this.#isBegun = error === null;
    this.#owner.onRun(error);
  }
}

function locked(lock: StripeLock, run: StripeRun): void {
  run.onLocked(lock);
}

function prepared(error: CevError | null, run: StripeRun): void {
  run.onPrepared(error);
}
