import type { Action, CevError } from "@cev/core";
import { worldError } from "./metadata-writer.ts";

/** Who waits for metadata to be on the members; `error` is null once it is. */
interface Waiter {
  readonly run: Action<CevError | null, unknown>;
  readonly context: unknown;
}

/** A write that waits for the metadata to be made ready for it. */
export interface Preparation extends Waiter {
  /** Bytes of sync space. */
  readonly start: number;
  readonly end: number;
}

/** What is done in a round, and after it. */
export interface RoundWork {
  /** Makes the metadata ready for these writes, and records what has failed so far. */
  round(preparations: readonly Preparation[]): Promise<void>;
  /** A write that was prepared has begun. */
  begin(start: number, end: number): void;
  /** There is something to record although nobody waits for it. */
  hasMore(): boolean;
  /** What there was to record cannot be. */
  giveUp(): void;
}

/** Whoever needs the metadata on the members waits here: all that come in the meantime share the next round. */
export class MetadataRounds {
  readonly #owner: RoundWork;
  #preparations: Preparation[] = [];
  #settlers: Waiter[] = [];
  #work: Promise<void> | null = null;

  constructor(owner: RoundWork) {
    this.#owner = owner;
  }

  /** Work is under way. */
  get isBusy(): boolean {
    return this.#work !== null;
  }

  /** Calls back once the metadata is ready for a write to this range, which has begun then, or cannot be. */
  prepare<C>(start: number, end: number, run: Action<CevError | null, C>, context: C): void {
    this.#preparations.push({ start, end, run: run as Action<CevError | null, unknown>, context });
    this.start();
  }

  /** Calls back after the next round. */
  settle<C>(run: Action<CevError | null, C>, context: C): void {
    this.#settlers.push({ run: run as Action<CevError | null, unknown>, context });
    this.start();
  }

  /** There is something to do. */
  start(): void {
    this.#work ??= this.#workOff();
  }

  /** Runs when no other work is under way, and keeps other work from starting meanwhile. */
  async alone(run: () => Promise<void>): Promise<void> {
    while (this.#work !== null) await this.#work;
    // Not at once: what is asked for from within it must find that work is under way.
    const work = Promise.resolve().then(run);
    this.#work = work
      .catch(() => undefined)
      .then(() => {
        this.#work = null;
        if (this.#hasMore) this.start();
      });
    await this.#work;
    await work;
  }

  get #hasMore(): boolean {
    return this.#preparations.length > 0 || this.#settlers.length > 0 || this.#owner.hasMore();
  }

  /** One round after another until nobody waits any more. */
  async #workOff(): Promise<void> {
    // Whoever asked has not returned yet, and must not be called back before.
    await Promise.resolve();
    for (;;) {
      const preparations = this.#preparations;
      const settlers = this.#settlers;
      this.#preparations = [];
      this.#settlers = [];
      const error = await this.#owner.round(preparations).then(() => null, worldError);
      if (error !== null) this.#owner.giveUp();
      const isLast = !this.#hasMore;
      // Those called back may ask again at once: that starts the work anew.
      if (isLast) this.#work = null;
      if (error === null) for (const { start, end } of preparations) this.#owner.begin(start, end);
      for (const waiter of preparations) waiter.run(error, waiter.context);
      for (const waiter of settlers) waiter.run(error, waiter.context);
      if (isLast) return;
    }
  }
}
