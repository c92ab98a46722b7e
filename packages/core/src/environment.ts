import { BufferPool } from "./buffer-pool.ts";
import { Burst } from "./burst.ts";
import { RunQueue } from "./run-queue.ts";

/** A timer that has not fired can be cancelled; afterwards cancelling does nothing. */
export interface Timer {
  cancel(): void;
}

/** Where a stack has its time from. Milliseconds, monotonic. */
export interface Clock {
  now(): number;
  after(delayMs: number, run: () => void): Timer;
}

/** What day it is: for the times that formats keep in their metadata. */
export interface WallClock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
}

/** What an `Environment` is made of. */
export interface EnvironmentOptions {
  readonly clock: Clock;
  /** Runs a task in a later turn of the event loop. */
  readonly later: (task: () => void) => void;
  /** Fills the array with random bytes; a simulator's own are replayed from its seed. */
  readonly random: (bytes: Uint8Array) => void;
  /** Without one, times in metadata stay as they were. */
  readonly wallClock?: WallClock | undefined;
  /** The memory of the stack; by default a pool of its own. */
  readonly buffers?: BufferPool | undefined;
}

/**
 * All that a stack takes from outside: time, chance, turns of the event loop, memory. Handed to every layer that
 * needs any of it; two stacks may share one or have one each. Under a simulated one a run can be replayed.
 */
export class Environment {
  readonly clock: Clock;
  readonly wallClock: WallClock | null;
  readonly later: (task: () => void) => void;
  readonly random: (bytes: Uint8Array) => void;
  readonly runQueue: RunQueue;
  readonly burst: Burst = new Burst();
  readonly buffers: BufferPool;

  constructor(options: EnvironmentOptions) {
    this.clock = options.clock;
    this.wallClock = options.wallClock ?? null;
    this.later = options.later;
    this.random = options.random;
    this.runQueue = new RunQueue({ later: options.later });
    this.buffers = options.buffers ?? new BufferPool();
  }
}

/** The parts of `globalThis` an environment can be made of. `setImmediate` is used where there is one. */
export interface GlobalScope {
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(timer: never): void;
  readonly setImmediate?: (run: () => void) => unknown;
  readonly performance: { now(): number };
  readonly Date?: WallClock;
  readonly crypto: { getRandomValues(bytes: Uint8Array<ArrayBuffer>): unknown };
}

// The platform fills at most this many random bytes in one call.
const RANDOM_BYTES_MAX = 65_536;

/** The real world's environment: `environmentFrom(globalThis)`. */
export function environmentFrom(
  scope: GlobalScope,
  options: { readonly buffers?: BufferPool } = {},
): Environment {
  const { setImmediate } = scope;
  return new Environment({
    clock: {
      now: () => scope.performance.now(),
      after(delayMs, run) {
        const timer = scope.setTimeout(run, delayMs);
        return { cancel: () => scope.clearTimeout(timer as never) };
      },
    },
    wallClock: scope.Date,
    later:
      setImmediate === undefined
        ? (task) => void scope.setTimeout(task, 0)
        : (task) => void setImmediate(task),
    random(bytes) {
      // The platform itself refuses memory that threads share.
      const own = bytes as Uint8Array<ArrayBuffer>;
      for (let at = 0; at < own.length; at += RANDOM_BYTES_MAX)
        scope.crypto.getRandomValues(own.subarray(at, at + RANDOM_BYTES_MAX));
    },
    ...options,
  });
}
