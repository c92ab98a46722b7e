import { availableParallelism } from "node:os";
import type { Environment } from "@cev/core";

/** How long a process looks for the next message before it sleeps, in microseconds, unless it is told otherwise. */
export const BUSY_POLL_US = 50;
/** The most that it can be told. */
export const BUSY_POLL_MAX_US = 1000;

// Messages in a row that came in time, before it is worth to look for one more.
const LUCK_MIN = 4;
const LUCK_MAX = 16;
// A turn takes a microsecond at least; where time stands still (a simulated clock) this is the end.
const TURNS_MAX = 256;

/**
 * Keeps the event loop from going to sleep for a moment after an answer has left, while the other side's messages follow
 * one another so fast that falling asleep and being woken would take longer than the message does. Costs processor time
 * of that moment, and only as long as messages do come within it; the rest of the event loop goes on meanwhile.
 */
export class BusyPoll {
  readonly #environment: Environment;
  readonly #maxMs: number;
  #leftAt = Number.NEGATIVE_INFINITY;
  #luck = 0;
  #turnCount = 0;
  #isPolling = false;
  readonly #turn = (): void => this.#look();

  /** `maxUs` in microseconds; 0: never. With one processor the other side could not go on meanwhile: never, either. */
  constructor(environment: Environment, maxUs: number, processorCount: number = availableParallelism()) {
    this.#environment = environment;
    this.#maxMs = processorCount > 1 ? maxUs / 1000 : 0;
  }

  /** Bytes have come, and are not yet looked at. */
  arrived(): void {
    if (this.#maxMs === 0) return;
    const isInTime = this.#environment.clock.now() - this.#leftAt <= this.#maxMs;
    this.#luck = isInTime ? Math.min(this.#luck + 1, LUCK_MAX) : this.#luck >> 1;
  }

  /** All that can be done for now is done. */
  left(): void {
    if (this.#maxMs === 0) return;
    this.#leftAt = this.#environment.clock.now();
    this.#turnCount = 0;
    if (this.#isPolling || this.#luck < LUCK_MIN) return;
    this.#isPolling = true;
    this.#environment.later(this.#turn);
  }

  #look(): void {
    this.#isPolling =
      ++this.#turnCount < TURNS_MAX && this.#environment.clock.now() - this.#leftAt < this.#maxMs;
    if (this.#isPolling) this.#environment.later(this.#turn);
  }
}
