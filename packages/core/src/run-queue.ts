import type { Completion } from "./completion.ts";

/** Settings of a `RunQueue`. */
export interface RunQueueOptions {
  /** Runs a task in a later turn of the event loop (`setImmediate`, or a simulator's own). */
  readonly later: (task: () => void) => void;
  /** How many completions one turn may carry before it yields to the event loop. Default 4096. */
  readonly completionsPerTurnMax?: number;
}

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
  // A completion runs, or the rest of them waits for a later turn.
  #isBusy = false;
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
    if (this.#isBusy) {
      this.#ring.push(event);
      return;
    }
    this.#isBusy = true;
    try {
      event.advance();
    } finally {
      this.#isBusy = false;
    }
    if (this.#ring.length > 0) this.#drain();
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
    const wasBusy = this.#isBusy;
    this.#isBusy = true;
    try {
      // The list only grows during the walk: what was cancelled first is told first.
      for (let index = 0; index < this.#cancels.length; index++) this.#cancels[index]!.tellCancelled();
    } finally {
      this.#cancels.length = 0;
      this.#isBusy = wasBusy;
    }
    if (!wasBusy && this.#ring.length > 0) this.#drain();
  }

  /** A program error that no `Io` can carry any more: surfaces as an uncaught error in a turn of its own. */
  report(error: unknown): void {
    this.#later(() => {
      throw error;
    });
  }

  #drain(): void {
    this.#isBusy = true;
    try {
      let budget = this.#perTurnMax;
      while (this.#ring.length > 0 && budget-- > 0) this.#ring.shift().advance();
    } finally {
      this.#isBusy = this.#ring.length > 0;
      if (this.#isBusy) this.#later(this.#drainLater);
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
