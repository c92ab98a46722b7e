import { CompoundIoPool, Op, concatenate } from "@cev/core";
import type { Io, SubmitTarget } from "@cev/core";
import type { ParityEngine } from "./parity-engine.ts";
import { StripeWrite } from "./stripe-write.ts";

// Writes under way at once, each of one stripe: more wait, so that the memory lent to them is bounded.
const ACTIVE_MAX = 128;

/** Writes: one request for each stripe, each under the stripe's lock. */
export class StripeWriter implements SubmitTarget {
  /** Where the parts of a write go, as seen by those who watch. */
  readonly name: string;
  readonly #array: ParityEngine;
  readonly #parts: CompoundIoPool;
  readonly #waiting: Io[] = [];
  #waitingStart = 0;
  #activeCount = 0;
  #isStarting = false;

  constructor(array: ParityEngine) {
    this.name = `${array.name} stripe`;
    this.#array = array;
    this.#parts = new CompoundIoPool(array);
  }

  /** A write anywhere in the array. */
  write(io: Io): void {
    const { map } = this.#array;
    if (io.length <= map.stripeRest(io.offset)) return this.submit(io);
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const length = Math.min(map.stripeRest(io.offset + at), io.length - at);
      compound.add(this, Op.write, io.offset + at, length, io.data, io.dataOffset + at, io.flags);
      at += length;
    }
    compound.submit();
  }

  /** A write within one stripe. */
  submit(io: Io): void {
    this.#waiting.push(io);
    this.#startWaiting();
  }

  /** @internal One of the writes has ended. */
  ended(): void {
    this.#activeCount--;
    this.#startWaiting();
  }

  #startWaiting(): void {
    // A write that ends at once comes back here: the next is started from the loop, not from within it.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      while (this.#activeCount < ACTIVE_MAX && this.#waitingStart < this.#waiting.length) {
        const io = this.#waiting[this.#waitingStart++]!;
        if (this.#waitingStart === this.#waiting.length) {
          this.#waiting.length = 0;
          this.#waitingStart = 0;
        }
        this.#activeCount++;
        new StripeWrite(this.#array, this, io).start();
      }
    } finally {
      this.#isStarting = false;
    }
  }
}
