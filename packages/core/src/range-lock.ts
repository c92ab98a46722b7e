import type { Action } from "./wait-queue.ts";

/** Held until `release`. */
export interface RangeLockEntry {
  readonly offset: number;
  readonly end: number;
  readonly isExclusive: boolean;
}

interface Waiting extends RangeLockEntry {
  readonly granted: Action<RangeLockEntry, unknown>;
  readonly context: unknown;
}

/**
 * Locks on ranges of bytes. Overlapping exclusive locks wait for one another, and shared ones for exclusive ones,
 * first come first served: a waiting lock is never overtaken by one that overlaps it.
 */
export class RangeLock {
  readonly #held = new Set<RangeLockEntry>();
  #waiting: Waiting[] = [];

  /** How many locks are held. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** Calls `granted` with the lock: at once, or when those before it that overlap it are released. */
  acquire<C>(
    offset: number,
    length: number,
    isExclusive: boolean,
    granted: Action<RangeLockEntry, C>,
    context: C,
  ): void {
    const entry: Waiting = {
      offset,
      end: offset + length,
      isExclusive,
      granted: granted as Action<RangeLockEntry, unknown>,
      context,
    };
    if (this.#canGrant(entry, this.#waiting)) {
      this.#held.add(entry);
      granted(entry, context);
    } else {
      this.#waiting.push(entry);
    }
  }

  /** Gives a lock back and grants those that waited for it. */
  release(entry: RangeLockEntry): void {
    this.#held.delete(entry);
    if (this.#waiting.length === 0) return;
    const granted: Waiting[] = [];
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (this.#canGrant(waiting, still)) {
        this.#held.add(waiting);
        granted.push(waiting);
      } else {
        still.push(waiting);
      }
    }
    this.#waiting = still;
    for (const waiting of granted) waiting.granted(waiting, waiting.context);
  }

  #canGrant(entry: RangeLockEntry, before: readonly RangeLockEntry[]): boolean {
    for (const held of this.#held) if (conflicts(held, entry)) return false;
    return !before.some((waiting) => conflicts(waiting, entry));
  }
}

function conflicts(a: RangeLockEntry, b: RangeLockEntry): boolean {
  return (a.isExclusive || b.isExclusive) && a.offset < b.end && b.offset < a.end;
}
