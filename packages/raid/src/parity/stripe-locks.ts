import type { Action } from "@cev/core";

/** Held from `granted` until `release`. */
export interface StripeLock {
  readonly stripe: number;
  readonly isExclusive: boolean;
}

interface Waiting extends StripeLock {
  readonly granted: Action<StripeLock, unknown>;
  readonly context: unknown;
  next: Waiting | null;
}

/** Linked, because taking the first of a long array takes time in proportion to its length. */
interface Queue {
  holderCount: number;
  isExclusive: boolean;
  first: Waiting | null;
  last: Waiting | null;
}

/**
 * One lock for each stripe: a write holds it alone, reconstructing reads share it; first come first served. Takes the
 * same time whatever the number of stripes that are locked.
 */
export class StripeLocks {
  readonly #queues = new Map<number, Queue>();
  readonly #ready: Queue = emptyQueue();
  #isGranting = false;

  /** How many stripes are locked. */
  get lockedCount(): number {
    return this.#queues.size;
  }

  /** Calls `granted` with the lock: at once, or when those before it are released. */
  acquire<C>(stripe: number, isExclusive: boolean, granted: Action<StripeLock, C>, context: C): void {
    const entry: Waiting = {
      stripe,
      isExclusive,
      granted: granted as Action<StripeLock, unknown>,
      context,
      next: null,
    };
    let queue = this.#queues.get(stripe);
    if (queue === undefined) {
      queue = emptyQueue();
      this.#queues.set(stripe, queue);
    }
    append(queue, entry);
    this.#grant(queue);
  }

  /** Gives a lock back and grants those that waited for it. */
  release(lock: StripeLock): void {
    const queue = this.#queues.get(lock.stripe)!;
    queue.holderCount--;
    if (queue.holderCount > 0) return;
    if (queue.first === null) this.#queues.delete(lock.stripe);
    else this.#grant(queue);
  }

  #grant(queue: Queue): void {
    for (let next = queue.first; next !== null; next = queue.first) {
      if (queue.holderCount > 0 && (queue.isExclusive || next.isExclusive)) break;
      append(this.#ready, takeFirst(queue, next));
      queue.holderCount++;
      queue.isExclusive = next.isExclusive;
    }
    this.#runReady();
  }

  /** A holder that ends at once releases within `granted`: the next is run from here, not from there. */
  #runReady(): void {
    if (this.#isGranting) return;
    this.#isGranting = true;
    try {
      for (let next = this.#ready.first; next !== null; next = this.#ready.first) {
        takeFirst(this.#ready, next);
        next.granted(next, next.context);
      }
    } finally {
      this.#isGranting = false;
    }
  }
}

function emptyQueue(): Queue {
  return { holderCount: 0, isExclusive: false, first: null, last: null };
}

function append(queue: Queue, entry: Waiting): void {
  if (queue.last === null) queue.first = entry;
  else queue.last.next = entry;
  queue.last = entry;
}

/** `first`: the queue's own. */
function takeFirst(queue: Queue, first: Waiting): Waiting {
  queue.first = first.next;
  if (first.next === null) queue.last = null;
  first.next = null;
  return first;
}
