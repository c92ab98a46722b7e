import { Op } from "../io.ts";
import type { Io } from "../io.ts";

/** What has gone through a place, of one operation. */
export interface OpCounts {
  readonly count: number;
  /** Bytes asked for by those that went well. */
  readonly bytes: number;
  readonly errorCount: number;
}

class Counter implements OpCounts {
  // Doubles from the start, as in `Io`.
  count: number = Number.NaN;
  bytes: number = Number.NaN;
  errorCount: number = Number.NaN;

  constructor() {
    this.count = this.bytes = this.errorCount = 0;
  }
}

/** Requests that have ended, per operation, and those under way. */
export class JointCounts {
  readonly read: OpCounts;
  readonly write: OpCounts;
  readonly flush: OpCounts;
  readonly discard: OpCounts;
  readonly writeZeroes: OpCounts;
  /** Requests below now, and most of them at a time so far. */
  inFlight = 0;
  inFlightMax = 0;
  readonly #counters: readonly Counter[] = Array.from({ length: 5 }, () => new Counter());

  constructor() {
    this.read = this.#counters[Op.read]!;
    this.write = this.#counters[Op.write]!;
    this.flush = this.#counters[Op.flush]!;
    this.discard = this.#counters[Op.discard]!;
    this.writeZeroes = this.#counters[Op.writeZeroes]!;
  }

  /** @internal */
  entered(): void {
    if (++this.inFlight > this.inFlightMax) this.inFlightMax = this.inFlight;
  }

  /** @internal */
  left(io: Io): void {
    this.inFlight--;
    const counter = this.#counters[io.op]!;
    counter.count++;
    if (io.error === null) counter.bytes += io.length;
    else counter.errorCount++;
  }

  /** @internal Begins anew: another device stands at this place. */
  reset(): void {
    for (const counter of this.#counters) counter.count = counter.bytes = counter.errorCount = 0;
    this.inFlightMax = this.inFlight;
  }

  /** @internal A device has moved here, with what it counted elsewhere. */
  add(other: JointCounts): void {
    for (const [op, counter] of this.#counters.entries()) {
      const { count, bytes, errorCount } = other.#counters[op]!;
      counter.count += count;
      counter.bytes += bytes;
      counter.errorCount += errorCount;
    }
    this.inFlightMax = Math.max(this.inFlightMax, other.inFlightMax);
  }
}
