import type { Action } from "@cev/core";
import { StripeTable } from "./stripe-table.ts";
import type { StripeEntry } from "./stripe-table.ts";

/** Held from `granted` until `release`. */
export interface StripeLock {
  readonly stripe: number;
  readonly isExclusive: boolean;
}

interface Waiting extends StripeLock {
  stripe: number;
  isExclusive: boolean;
  granted: Action<StripeLock, unknown> | null;
  context: unknown;
  next: Waiting | null;
}

/** Linked, because taking the first of a long array takes time in proportion to its length. */
interface Queue extends StripeEntry<Queue> {
  stripe: number;
  holderCount: number;
  isExclusive: boolean;
  first: Waiting | null;
  last: Waiting | null;
}

/**
 * One lock for each stripe: a write holds it alone, reconstructing reads share it; first come first served. Takes the
 * same time whatever the number of stripes that are locked, and allocates nothing once as many were locked before.
 */
export class StripeLocks {
  readonly #queues = new StripeTable<Queue>();
  readonly #ready: Queue = emptyQueue();
  readonly #freeQueues: Queue[] = [];
  readonly #freeLocks: Waiting[] = [];
  #isGranting = false;

  /** How many stripes are locked. */
  get lockedCount(): number {
    return this.#queues.count;
  }

  /** Calls `granted` with the lock: at once, or when those before it are released. */
  acquire<C>(stripe: number, isExclusive: boolean, granted: Action<StripeLock, C>, context: C): void {
    const lock = this.#freeLocks.pop() ?? { stripe, isExclusive, granted: null, context: null, next: null };
    lock.stripe = stripe;
    lock.isExclusive = isExclusive;
    lock.granted = granted as Action<StripeLock, unknown>;
    lock.context = context;
    let queue = this.#queues.get(stripe);
    if (queue === null) {
      queue = this.#freeQueues.pop() ?? emptyQueue();
      queue.stripe = stripe;
      this.#queues.add(queue);
    }
    append(queue, lock);
    this.#grant(queue);
  }

  /** Gives a lock back, which is nobody's from then on, and grants those that waited for it. */
  release(lock: StripeLock): void {
    const queue = this.#queues.get(lock.stripe)!;
    const held = lock as Waiting;
    held.context = null;
    this.#freeLocks.push(held);
    queue.holderCount--;
    if (queue.holderCount > 0) return;
    if (queue.first !== null) {
      this.#grant(queue);
      return;
    }
    this.#queues.remove(queue);
    this.#freeQueues.push(queue);
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
        next.granted!(next, next.context);
      }
    } finally {
      this.#isGranting = false;
    }
  }
}

function emptyQueue(): Queue {
  return { stripe: -1, following: null, holderCount: 0, isExclusive: false, first: null, last: null };
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
