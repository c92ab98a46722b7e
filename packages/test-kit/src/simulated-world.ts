import { BufferPool, Environment } from "@cev/core";
import type { BufferPoolOptions, Timer } from "@cev/core";
import { Random } from "./random.ts";

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Settings of a `SimulatedWorld`. */
export interface SimulatedWorldOptions {
  /** Everything random comes from it. */
  readonly seed: number;
  /** Tasks of one turn run in random order (default), or in the order they were asked for. */
  readonly order?: "random" | "fifo";
  readonly buffers?: BufferPoolOptions;
}

// More than any chain of promises in a stack is long.
const MICROTASKS_PER_TURN = 100;

/**
 * Time, chance and turns of the event loop under control: a run is replayed from its seed, and a wait of an hour takes
 * no time. For layers that use nothing but their `Environment`; those that call the system need the real one.
 */
export class SimulatedWorld {
  readonly environment: Environment;
  readonly random: Random;
  #now = 0;
  #order = 0;
  #tasks: (() => void)[] = [];
  readonly #alarms: Alarm[] = [];
  readonly #isShuffled: boolean;

  constructor(options: SimulatedWorldOptions) {
    this.random = new Random(options.seed);
    this.#isShuffled = options.order !== "fifo";
    this.environment = new Environment({
      clock: { now: () => this.#now, after: (delayMs, run) => this.#after(delayMs, run) },
      later: (task) => void this.#tasks.push(task),
      random: (bytes) => void this.random.fill(bytes),
      buffers: new BufferPool(options.buffers),
    });
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** True when nothing is left to do at any time. */
  get isIdle(): boolean {
    return this.#tasks.length === 0 && this.#alarms.length === 0;
  }

  /** Runs the tasks of one turn; without any, moves the clock to the next timer and runs it. False when idle. */
  step(): boolean {
    if (this.#tasks.length > 0) {
      const tasks = this.#isShuffled ? this.random.shuffled(this.#tasks) : this.#tasks;
      this.#tasks = [];
      for (const task of tasks) task();
      return true;
    }
    const alarm = this.#nextAlarm();
    if (alarm === null) return false;
    this.#alarms.splice(this.#alarms.indexOf(alarm), 1);
    this.#now = Math.max(this.#now, alarm.at);
    alarm.run();
    return true;
  }

  /** Runs until a promise settles, and returns or throws its outcome. Throws when nothing is left that could settle it. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    for (;;) {
      await this.#microtasks(() => isSettled);
      if (isSettled) return promise;
      if (!this.step()) throw new Error("nothing is left to do, and what was waited for has not happened");
    }
  }

  /** Runs until nothing is left to do. Returns how many turns that took. */
  async run(turnsMax = 1_000_000): Promise<number> {
    for (let turns = 0; ; turns++) {
      await this.#microtasks(() => false);
      if (!this.step()) return turns;
      if (turns === turnsMax) throw new Error(`still busy after ${turnsMax} turns`);
    }
  }

  #after(delayMs: number, run: () => void): Timer {
    const alarm = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
    this.#alarms.push(alarm);
    return {
      cancel: () => {
        const index = this.#alarms.indexOf(alarm);
        if (index >= 0) this.#alarms.splice(index, 1);
      },
    };
  }

  #nextAlarm(): Alarm | null {
    let next: Alarm | null = null;
    for (const alarm of this.#alarms) {
      if (next === null || alarm.at < next.at || (alarm.at === next.at && alarm.order < next.order))
        next = alarm;
    }
    return next;
  }

  async #microtasks(isEnough: () => boolean): Promise<void> {
    for (let count = 0; count < MICROTASKS_PER_TURN && !isEnough(); count++) await Promise.resolve();
  }
}
