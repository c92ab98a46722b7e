import { Completion, EventState } from "./completion.ts";
import type { CevError } from "./errors.ts";
import { ProgramError } from "./errors.ts";
import type { RunQueue } from "./run-queue.ts";

/** How a `CompoundEvent` makes its outcome from those of its events. */
export interface EventCollation {
  readonly name: string;
  /** One event has ended. May `decide` the compound before the others have. */
  ended(compound: CompoundEvent, event: Completion): void;
  /** All have ended and nothing was decided: the outcome, null for success. */
  outcome(compound: CompoundEvent): CevError | null;
}

/**
 * An event made of events: it happens when all, any or some of them have, or when its collation says so. Works
 * over events of any kind, also compound ones, of any run queue; the events need not know of it. For an `Io`
 * that becomes several use `CompoundIo`, which owns and reuses its parts.
 */
export class CompoundEvent extends Completion {
  readonly collation: EventCollation;
  readonly #events: Completion[] = [];
  // The start itself counts, so that events that have happened before it cannot end the compound too early.
  #pendingCount = 1;
  #isStarted = false;

  constructor(runQueue: RunQueue, collation: EventCollation = all) {
    super(runQueue);
    this.collation = collation;
  }

  /** The events it is made of, in the order they were added. */
  get events(): readonly Completion[] {
    return this.#events;
  }

  /** How many of its events have not ended. */
  get pendingCount(): number {
    return this.#pendingCount - (this.#isStarted ? 0 : 1);
  }

  /** Adds an event, which may have happened already. Before `start`, or while others are still under way. */
  add(event: Completion): this {
    if (this.state !== EventState.pending)
      throw new ProgramError("an event was added to a compound event that has ended");
    this.#events.push(event);
    this.#pendingCount++;
    event.wait(eventEnded, this);
    return this;
  }

  /** All are added: from here on the compound may end. */
  start(): this {
    if (this.#isStarted) throw new ProgramError("a compound event was started twice");
    this.#isStarted = true;
    this.#countDown();
    return this;
  }

  /** Ends the compound before all of its events have ended; the others go on unless cancelled. */
  decide(error: CevError | null = null): void {
    if (this.state === EventState.pending) this.complete(error);
  }

  /** @internal Cancelling a compound event cancels all that is under way below it. */
  override tellCancelled(): void {
    super.tellCancelled();
    for (const event of this.#events) if (event.state !== EventState.done) event.cancel();
  }

  /** @internal */
  countEnded(event: Completion): void {
    try {
      if (this.state === EventState.pending) this.collation.ended(this, event);
    } finally {
      this.#countDown();
    }
  }

  #countDown(): void {
    this.#pendingCount--;
    if (this.#pendingCount === 0 && this.state === EventState.pending)
      this.complete(this.collation.outcome(this));
  }
}

function eventEnded(event: Completion, compound: CompoundEvent): void {
  compound.countEnded(event);
}

const firstErrorOf = (compound: CompoundEvent): CevError | null =>
  compound.events.find((event) => event.error !== null)?.error ?? null;

/** Happens when all have; fails with the error of the first, in order of adding, that failed. */
export const all: EventCollation = { name: "all", ended() {}, outcome: firstErrorOf };

/** Happens with the first success; fails when all have failed. */
export const any: EventCollation = atLeast(1);

/** Happens with the `count`-th success; fails when all have ended and there were fewer. */
export function atLeast(count: number): EventCollation {
  return {
    name: count === 1 ? "any" : `at least ${count}`,
    ended(compound, event) {
      if (event.error !== null) return;
      let successCount = 0;
      for (const other of compound.events) if (other.isUpToDate) successCount++;
      if (successCount >= count) compound.decide();
    },
    outcome: firstErrorOf,
  };
}
