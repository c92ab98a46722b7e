import { Io, Op, isCevError, request } from "@cev/core";
import type { CevError } from "@cev/core";
import type { Member } from "../array/member.ts";
import { endIo } from "./end-io.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { isZeroColumn, makeParity } from "./slice-parity.ts";
import type { StripeLock } from "./stripe-locks.ts";
import { StripeSlice } from "./stripe-slice.ts";
import type { SliceOwner } from "./stripe-slice.ts";

/** Of a write: the member is as good as it was. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(["CEV_NO_SPACE", "CEV_NO_MEMORY", "CEV_CANCELLED"]);

/** A slice as a pass over the redundancy sees it: reads as promises. */
export class SlicePass implements SliceOwner {
  readonly engine: ParityEngine;
  readonly slice: StripeSlice;
  readonly #io: Io;
  #plan: (slice: StripeSlice) => boolean = () => false;
  #lost: { readonly cause: CevError | null } | null = null;

  constructor(engine: ParityEngine) {
    this.engine = engine;
    this.slice = new StripeSlice(engine, this);
    this.#io = new Io(engine.environment.runQueue);
  }

  /** Reads the members' data from `start` to `end`, which lies within one stripe. Resolves with what is amiss, or null. */
  async read(
    start: number,
    end: number,
    plan: (slice: StripeSlice) => boolean,
  ): Promise<{ readonly cause: CevError | null } | null> {
    const { chunkSize } = this.engine.map;
    const stripe = Math.floor(start / chunkSize);
    this.#plan = plan;
    this.#lost = null;
    this.slice.begin(stripe, start - stripe * chunkSize, end - stripe * chunkSize);
    this.#io.prepare(Op.read, start, end - start);
    const done = this.#io.promise();
    this.slice.read(this.#io);
    await done;
    return this.#lost;
  }

  /**
   * Makes the parities among the columns that are marked, and writes them all; zeroes as holes, where `canBeHoles` and
   * the member knows about holes. A member that does not take it is failed, unless it is merely full. Rejects then.
   */
  async write(marked: Uint8Array, canBeHoles: boolean): Promise<void> {
    const { slice } = this;
    const { dataCount, columns, places, buffer } = slice;
    if (marked.includes(1, dataCount)) {
      const data = new Array<Uint8Array>(dataCount).fill(buffer!.bytes);
      makeParity(slice, { data, offsets: places }, marked);
    }
    const writes: Promise<void>[] = [];
    for (let column = 0; column < columns.count; column++)
      if (marked[column] === 1) writes.push(this.#writeColumn(column, canBeHoles));
    const outcomes = await Promise.allSettled(writes);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #writeColumn(column: number, canBeHole: boolean): Promise<void> {
    const { slice, engine } = this;
    const { length } = slice;
    const { target, device } = slice.memberOf(column);
    const offset = slice.offsetOf(column);
    const at = slice.places[column]!;
    try {
      if (canBeHole && device?.layer.support.writeZeroes === "native" && isZeroColumn(slice, column)) {
        await request(target, engine.environment, Op.writeZeroes, offset, length);
      } else {
        const data = slice.buffer!.bytes.subarray(at, at + length);
        await request(target, engine.environment, Op.write, offset, length, data);
      }
    } catch (error) {
      this.#writeFailed(slice.memberOf(column), error);
      throw error;
    }
  }

  #writeFailed(member: Member, error: unknown): void {
    if (!isCevError(error) || SAYS_NOTHING.has(error.code)) return;
    const { start, end } = this.slice;
    this.engine.array.failMember(member, error, { start, end });
  }

  plan(): boolean {
    return this.#plan(this.slice);
  }

  onRead(): void {
    endIo(this.#io, null);
  }

  onLost(cause: CevError | null): void {
    this.#lost = { cause };
    endIo(this.#io, null);
  }

  onFailed(error: CevError): void {
    endIo(this.#io, error);
  }
}

/** Runs something while nobody else writes or reconstructs in a stripe. */
export async function withStripe<T>(engine: ParityEngine, stripe: number, run: () => Promise<T>): Promise<T> {
  const lock = await new Promise<StripeLock>((granted) => {
    engine.locks.acquire(stripe, true, granted, null);
  });
  try {
    return await run();
  } finally {
    engine.locks.release(lock);
  }
}
