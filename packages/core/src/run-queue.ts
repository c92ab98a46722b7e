import type { Completion } from "./completion.ts";

/** Settings of a `RunQueue`. */
export interface RunQueueOptions {
  /** Runs a task in a later turn of the event loop (`setImmediate`, or a simulator's own). */
  readonly later: (task: () => void) => void;
  /** How many completions one turn may carry before it yields to the event loop. Default 4096. */
  readonly completionsPerTurnMax?: number;
}

/** What a run queue does: nothing; a completion; a completion with others behind it; those wait for a later turn. */
const Load = { idle: 0, running: 1, queued: 2, scheduled: 3 } as const;
type Load = (typeof Load)[keyof typeof Load];

/**
 * Where completions run. A completion inside a completion is queued rather than nested, so neither deep
 * stacks nor endless resubmission can overflow the call stack; after `completionsPerTurnMax` of them the
 * rest waits for a later turn, so the event loop stays responsive. One per stack, shared by its `Io`s.
 */
export class RunQueue {
  readonly #later: (task: () => void) => void;
  readonly #perTurnMax: number;
  readonly #ring = new Ring<Completion>();
  readonly #deferred = new Ring<Completion>();
  readonly #cancels: Completion[] = [];
  /** The clock that times sub-I/Os, while somebody watches them. */
  watch: { now(): number } | null = null;
  #load: Load = Load.idle;
  #areDeferredScheduled = false;
  readonly #drainLater = (): void => {
    this.#drain();
  };
  readonly #resumeDeferred = (): void => {
    this.#areDeferredScheduled = false;
    for (let count = this.#deferred.length; count > 0; count--) this.#deferred.shift().resume();
  };

  constructor(options: RunQueueOptions) {
    this.#later = options.later;
    this.#perTurnMax = options.completionsPerTurnMax ?? 4096;
  }

  /** Runs the chain of an event that has just completed or resumed: now, or right after the one under way. */
  run(event: Completion): void {
    if (this.#load !== Load.idle) {
      this.#enqueue(event);
      return;
    }
    this.#load = Load.running;
    try {
      event.advance();
    } catch (error) {
      this.#actionThrew(event, error);
    }
    if (this.#load === Load.running) this.#load = Load.idle;
    else this.#drain();
  }

  /** Resumes a held event in a later turn: in task context. One turn serves all that were deferred. */
  resumeLater(event: Completion): void {
    this.#deferred.push(event);
    if (this.#areDeferredScheduled) return;
    this.#areDeferredScheduled = true;
    this.#later(this.#resumeDeferred);
  }

  /**
   * Tells all who hold an event, newest first, that it was cancelled. Cancels that they cause join the same
   * walk instead of nesting, and no completion runs before it ends, so the walk never meets a recycled event.
   */
  walkCancel(event: Completion): void {
    this.#cancels.push(event);
    if (this.#cancels.length > 1) return;
    const before = this.#load;
    if (before === Load.idle) this.#load = Load.running;
    try {
      // The list only grows during the walk: what was cancelled first is told first.
      for (let index = 0; index < this.#cancels.length; index++) this.#cancels[index]!.tellCancelled();
    } finally {
      this.#cancels.length = 0;
      if (before === Load.idle) this.#drain();
    }
  }

  /** A program error that no `Io` can carry any more: surfaces as an uncaught error in a turn of its own. */
  report(error: unknown): void {
    this.#later(() => {
      throw error;
    });
  }

  #enqueue(event: Completion): void {
    this.#ring.push(event);
    if (this.#load === Load.running) this.#load = Load.queued;
  }

  /** Runs what is queued, as far as this turn's budget goes. */
  #drain(): void {
    let budget = this.#perTurnMax;
    while (this.#ring.length > 0 && budget-- > 0) {
      const event = this.#ring.shift();
      try {
        event.advance();
      } catch (error) {
        this.#actionThrew(event, error);
      }
    }
    this.#load = this.#ring.length > 0 ? Load.scheduled : Load.idle;
    if (this.#load === Load.scheduled) this.#later(this.#drainLater);
  }

  /** The chain goes on after an action that threw, also when the next one throws too. */
  #actionThrew(event: Completion, cause: unknown): void {
    let thrown = cause;
    while (event.recordThrown(thrown)) {
      try {
        event.advance();
        return;
      } catch (error) {
        thrown = error;
      }
    }
  }
}

/** A first-in first-out queue in an array that is reused: nothing is allocated in the steady state. */
class Ring<T> {
  #slots: (T | null)[] = new Array<T | null>(64).fill(null);
  #head = 0;
  length = 0;

  push(value: T): void {
    if (this.length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.length) & (this.#slots.length - 1)] = value;
    this.length++;
  }

  /** Precondition: not empty. */
  shift(): T {
    const value = this.#slots[this.#head]!;
    this.#slots[this.#head] = null;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.length--;
    return value;
  }

  #grow(): void {
    const size = this.#slots.length;
    const slots = new Array<T | null>(size * 2).fill(null);
    for (let index = 0; index < size; index++) slots[index] = this.#slots[(this.#head + index) & (size - 1)]!;
    this.#slots = slots;
    this.#head = 0;
  }
}
