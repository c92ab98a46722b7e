import type { Action } from "@cev/core";

/** Held from `granted` until `release`. */
export interface StripeLock {
  readonly stripe: number;
  readonly isExclusive: boolean;
}

interface Waiting extends StripeLock {
  readonly granted: Action<StripeLock, unknown>;
  readonly context: unknown;
}

interface Queue {
  holderCount: number;
  isExclusive: boolean;
  readonly waiting: Waiting[];
}

/**
 * One lock for each stripe: a write holds it alone, reconstructing reads share it; first come first served. Takes the
 * same time whatever the number of stripes that are locked.
 */
export class StripeLocks {
  readonly #queues = new Map<number, Queue>();
  readonly #ready: Waiting[] = [];
  #isGranting = false;

  /** How many stripes are locked. */
  get lockedCount(): number {
    return this.#queues.size;
  }

  /** Calls `granted` with the lock: at once, or when those before it are released. */
  acquire<C>(stripe: number, isExclusive: boolean, granted: Action<StripeLock, C>, context: C): void {
    const entry: Waiting = { stripe, isExclusive, granted: granted as Action<StripeLock, unknown>, context };
    let queue = this.#queues.get(stripe);
    if (queue === undefined) {
      queue = { holderCount: 0, isExclusive: false, waiting: [] };
      this.#queues.set(stripe, queue);
    }
    queue.waiting.push(entry);
    this.#grant(queue);
  }

  /** Gives a lock back and grants those that waited for it. */
  release(lock: StripeLock): void {
    const queue = this.#queues.get(lock.stripe)!;
    queue.holderCount--;
    if (queue.holderCount > 0) return;
    if (queue.waiting.length === 0) this.#queues.delete(lock.stripe);
    else this.#grant(queue);
  }

  #grant(queue: Queue): void {
    while (queue.waiting.length > 0) {
      const next = queue.waiting[0]!;
      if (queue.holderCount > 0 && (queue.isExclusive || next.isExclusive)) break;
      queue.waiting.shift();
      queue.holderCount++;
      queue.isExclusive = next.isExclusive;
      this.#ready.push(next);
    }
    this.#runReady();
  }

  /** A holder that ends at once releases within `granted`: the next is run from here, not from there. */
  #runReady(): void {
    if (this.#isGranting) return;
    this.#isGranting = true;
    try {
      for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift())
        next.granted(next, next.context);
    } finally {
      this.#isGranting = false;
    }
  }
}
