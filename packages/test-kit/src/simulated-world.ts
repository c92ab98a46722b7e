import { BufferPool, Environment } from "@cev/core";
import type { BufferPoolOptions, Timer } from "@cev/core";
import { AlarmHeap } from "./alarm-heap.ts";
import { Random } from "./random.ts";

/** Settings of a `SimulatedWorld`. */
export interface SimulatedWorldOptions {
  /** Everything random comes from it. */
  readonly seed: number;
  /** Tasks of one turn run in random order (default), or in the order they were asked for. */
  readonly order?: "random" | "fifo";
  /** Its memory: settings of a pool of its own (default), or a pool. */
  readonly buffers?: BufferPoolOptions | BufferPool;
}

/**
 * Time, chance and turns of the event loop under control: a run is replayed from its seed, and a wait of an hour takes
 * no time. For layers that use nothing but their `Environment`; those that call the system need the real one.
 */
export class SimulatedWorld {
  readonly environment: Environment;
  readonly random: Random;
  /** How many turns there were. */
  turnCount = 0;
  #now = 0;
  #tasks: (() => void)[] = [];
  readonly #alarms = new AlarmHeap();
  readonly #ended: () => Promise<void> = macrotasks();
  readonly #isShuffled: boolean;

  constructor(options: SimulatedWorldOptions) {
    this.random = new Random(options.seed);
    this.#isShuffled = options.order !== "fifo";
    this.environment = new Environment({
      clock: { now: () => this.#now, after: (delayMs, run) => this.#after(delayMs, run) },
      later: (task) => void this.#tasks.push(task),
      random: (bytes) => void this.random.fill(bytes),
      buffers: options.buffers instanceof BufferPool ? options.buffers : new BufferPool(options.buffers),
    });
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** True when nothing is left to do at any time. */
  get isIdle(): boolean {
    return this.#tasks.length === 0 && this.#alarms.isEmpty;
  }

  /** Runs the tasks of one turn; without any, moves the clock to the next timer and runs it. False when idle. */
  step(): boolean {
    this.turnCount++;
    if (this.#tasks.length > 0) {
      const tasks = this.#isShuffled ? this.random.shuffled(this.#tasks) : this.#tasks;
      this.#tasks = [];
      for (const task of tasks) task();
      return true;
    }
    const alarm = this.#alarms.take();
    if (alarm === null) return false;
    this.#now = Math.max(this.#now, alarm.at);
    alarm.run();
    return true;
  }

  /**
   * Runs until a promise settles, and returns or throws its outcome. Throws when nothing is left that could settle it, or after so
   * many turns. One turn of the real event loop for each of its own: all that promises have to say to one another is said in between.
   */
  async drive<T>(promise: Promise<T>, turnsMax?: number): Promise<T> {
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    for (let turns = 0; ; turns++) {
      await this.#ended();
      if (isSettled) return promise;
      if (!this.step()) throw new Error("nothing is left to do, and what was waited for has not happened");
      if (turnsMax !== undefined && turns >= turnsMax)
        throw new Error(`what was waited for has not happened in ${turnsMax} turns`);
    }
  }

  /** Runs until nothing is left to do. Returns how many turns that took. */
  async run(turnsMax = 1_000_000): Promise<number> {
    const turns = await this.turns(turnsMax);
    if (turns === turnsMax && !this.isIdle) throw new Error(`still busy after ${turnsMax} turns`);
    return turns;
  }

  /** Runs so many turns, or fewer when nothing is left to do. Returns how many there were. */
  async turns(count: number): Promise<number> {
    for (let turns = 0; ; turns++) {
      await this.#ended();
      if (turns >= count || !this.step()) return turns;
    }
  }

  #after(delayMs: number, run: () => void): Timer {
    const alarm = this.#alarms.add(this.#now + Math.max(0, delayMs), run);
    return { cancel: () => this.#alarms.remove(alarm) };
  }
}

interface ChannelPort {
  onmessage: (() => void) | null;
  postMessage(message: null): void;
}

type ChannelClass = new () => { readonly port1: ChannelPort; readonly port2: ChannelPort };

/** What resolves in a later turn of the real event loop, when no microtask is left: by the quicker way where there is one. */
function macrotasks(): () => Promise<void> {
  const { setImmediate: soon } = globalThis as { readonly setImmediate?: (run: () => void) => unknown };
  if (soon !== undefined) return () => new Promise((resolve) => void soon(resolve));
  const { MessageChannel: Channel } = globalThis as unknown as { readonly MessageChannel: ChannelClass };
  const { port1, port2 } = new Channel();
  return () =>
    new Promise((resolve) => {
      port1.onmessage = () => resolve();
      port2.postMessage(null);
    });
}
