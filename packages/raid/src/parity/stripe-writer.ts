import { CompoundIoPool, Op, concatenate } from "@cev/core";
import type { Io, SubmitTarget } from "@cev/core";
import { FullWriter } from "./full-writer.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { StripeTable } from "./stripe-table.ts";
import { StripeWrite } from "./stripe-write.ts";

// Writes under way at once, each of one stripe: more wait, so that the memory lent to them is bounded.
const ACTIVE_MAX = 128;

/**
 * Writes: one for each stripe, each under the stripe's lock. What comes for a stripe while a write of it waits to begin
 * is gathered into that. The first write of a turn begins at once, and so does a full stripe; those after it begin when
 * the turn is over, so that their neighbours can join them.
 */
export class StripeWriter implements SubmitTarget {
  /** Where the parts of a write go, as seen by those who watch. */
  readonly name: string;
  readonly #engine: ParityEngine;
  readonly #parts: CompoundIoPool;
  /** For several whole stripes at once. */
  readonly #full: FullWriter;
  readonly #free: StripeWrite[] = [];
  /** By stripe, the write that has not begun: what comes now can join it. */
  readonly #open = new StripeTable<StripeWrite>();
  /** To be begun when the turn is over. */
  #gathering: StripeWrite[] = [];
  #isTurnOver = true;
  #waiting: StripeWrite[] = [];
  #waitingStart = 0;
  #activeCount = 0;
  #isStarting = false;
  readonly #turnOver = (): void => {
    this.#endTurn();
  };

  constructor(engine: ParityEngine) {
    this.name = `${engine.name} stripe`;
    this.#engine = engine;
    this.#parts = new CompoundIoPool(engine);
    this.#full = new FullWriter(engine);
  }

  /** A write anywhere in the array. */
  write(io: Io): void {
    const { map } = this.#engine;
    if (io.length <= map.stripeRest(io.offset)) return this.submit(io);
    const { stripesMax } = this.#full;
    if (map.stripeRest(io.offset) === map.stripeSize && this.#fullLength(io, 0) === io.length)
      return this.#full.submit(io);
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const rest = map.stripeRest(io.offset + at);
      const isFull = stripesMax > 1 && rest === map.stripeSize && io.length - at >= 2 * rest;
      const length = isFull ? this.#fullLength(io, at) : Math.min(rest, io.length - at);
      const target = isFull ? this.#full : this;
      compound.add(target, Op.write, io.offset + at, length, io.data, io.dataOffset + at, io.flags);
      at += length;
    }
    compound.submit();
  }

  /** A write within one stripe. */
  submit(io: Io): void {
    const { map, environment } = this.#engine;
    const stripe = map.stripeOf(io.offset);
    const open = this.#open.get(stripe);
    if (open?.tryJoin(io) === true) return;
    const write = this.#free.pop() ?? new StripeWrite(this.#engine, this);
    write.open(stripe);
    write.tryJoin(io);
    this.#open.add(write);
    if (this.#isTurnOver || io.length === map.stripeSize) {
      this.#waiting.push(write);
    } else {
      this.#gathering.push(write);
    }
    if (this.#isTurnOver) {
      this.#isTurnOver = false;
      environment.later(this.#turnOver);
    }
    this.#startWaiting();
  }

  /** @internal Nothing can join it any more. */
  began(write: StripeWrite): void {
    this.#open.remove(write);
  }

  /** @internal It has ended, and can be used again. */
  ended(write: StripeWrite): void {
    this.#free.push(write);
    this.#activeCount--;
    this.#startWaiting();
  }

  /** Bytes of whole stripes, from a part of a request on, that one write can take. */
  #fullLength(io: Io, at: number): number {
    const { stripeSize } = this.#engine.map;
    return Math.min(this.#full.stripesMax, Math.floor((io.length - at) / stripeSize)) * stripeSize;
  }

  #endTurn(): void {
    this.#isTurnOver = true;
    for (const write of this.#gathering) this.#waiting.push(write);
    this.#gathering.length = 0;
    this.#startWaiting();
  }

  #startWaiting(): void {
    // A write that ends at once comes back here: the next is started from the loop, not from within it.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      while (this.#activeCount < ACTIVE_MAX && this.#waitingStart < this.#waiting.length) {
        const write = this.#waiting[this.#waitingStart++]!;
        if (this.#waitingStart === this.#waiting.length) this.#waiting.length = 0;
        else if (this.#waitingStart === 1024) this.#waiting.splice(0, 1024);
        if (this.#waitingStart === 1024 || this.#waiting.length === 0) this.#waitingStart = 0;
        this.#activeCount++;
        write.start();
      }
    } finally {
      this.#isStarting = false;
    }
  }
}
