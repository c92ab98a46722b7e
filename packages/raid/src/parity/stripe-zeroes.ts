import { IoFlag, Op } from "@cev/core";
import type { Io } from "@cev/core";
import { cancelled } from "../array/failure.ts";
import { holdChain } from "./end-io.ts";
import { FullStripes } from "./full-stripes.ts";
import type { ParityEngine } from "./parity-engine.ts";

// What is done at once: so much of each member, and no more stripes than these.
const RUN_LENGTH_MAX = 64 * 1024 * 1024;
const RUN_STRIPES_MAX = 512;

/**
 * Whole stripes that are to read as zeroes: every member writes zeroes, as the parity of zeroes is zero. A discard is
 * done the same way, with holes allowed, because what a member's discard leaves need not fit the parity. Run after run,
 * one at a time. Used for one request after the other.
 */
export class StripeZeroes extends FullStripes {
  readonly #owner: { ended(zeroes: StripeZeroes): void };
  #stripeEnd = 0;

  constructor(engine: ParityEngine, owner: { ended(zeroes: StripeZeroes): void }) {
    super(engine);
    this.#owner = owner;
  }

  /** A request for whole stripes. */
  start(io: Io): void {
    const { map } = this.engine;
    this.io = io;
    this.#stripeEnd = map.stripeOf(io.offset) + io.length / map.stripeSize;
    this.#next(map.stripeOf(io.offset));
  }

  protected onReady(): void {
    const io = this.io!;
    const { array, members, name } = this.engine;
    if (io.isCancelRequested) return this.leave(cancelled(io, name));
    if (array.isBroken) return this.leave(this.degraded());
    const { start, end } = this.run;
    const kept = io.op === Op.discard ? IoFlag.fua : IoFlag.fua | IoFlag.noHole | IoFlag.fastZero;
    const flags = io.flags & kept;
    this.writes.begin(io, start, end);
    for (const member of members) {
      if (!member.takesWrites) continue;
      this.writes.add(member, Op.writeZeroes, member.dataStart + start, end - start, null, 0, flags);
    }
    this.submit();
  }

  protected onRunWritten(): void {
    const { first, count } = this.run;
    if (first + count === this.#stripeEnd) return this.settle();
    // The locks of the next run may come in a later turn.
    holdChain(this.io!);
    this.run.leave(true);
    this.#next(first + count);
  }

  protected onLeft(): void {
    this.#owner.ended(this);
  }

  #next(first: number): void {
    const { chunkSize } = this.engine.map;
    const countMax = Math.min(RUN_STRIPES_MAX, Math.max(1, Math.floor(RUN_LENGTH_MAX / chunkSize)));
    this.run.begin(first, Math.min(countMax, this.#stripeEnd - first));
  }
}
