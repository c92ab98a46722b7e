import type { Action } from "./wait-queue.ts";

/** Held until `release`. */
export interface RangeLockEntry {
  readonly offset: number;
  readonly end: number;
  readonly isExclusive: boolean;
}

interface Entry extends RangeLockEntry {
  readonly granted: Action<RangeLockEntry, unknown>;
  readonly context: unknown;
  // Its neighbours while it is held. A list costs a write less than a set, whose table is made anew every few entries.
  previous: Entry | null;
  next: Entry | null;
}

/**
 * Locks on ranges of bytes. Overlapping exclusive locks wait for one another, and shared ones for exclusive ones,
 * first come first served: a waiting lock is never overtaken by one that overlaps it.
 */
export class RangeLock {
  #firstHeld: Entry | null = null;
  #heldCount = 0;
  #waiting: Entry[] = [];
  #isGranting = false;
  /** Since those that wait were looked at. */
  #isReleased = false;

  /** How many locks are held. */
  get heldCount(): number {
    return this.#heldCount;
  }

  /** Calls `granted` with the lock: at once, or when those before it that overlap it are released. */
  acquire<C>(
    offset: number,
    length: number,
    isExclusive: boolean,
    granted: Action<RangeLockEntry, C>,
    context: C,
  ): void {
    const entry: Entry = {
      offset,
      end: offset + length,
      isExclusive,
      granted: granted as Action<RangeLockEntry, unknown>,
      context,
      previous: null,
      next: null,
    };
    if (this.#canGrant(entry, this.#waiting)) {
      this.#hold(entry);
      granted(entry, context);
    } else {
      this.#waiting.push(entry);
    }
  }

  /** Gives a lock back and grants those that waited for it. */
  release(entry: RangeLockEntry): void {
    this.#letGo(entry as Entry);
    this.#isReleased = true;
    // Whoever is granted a lock may give it back at once: a long row of those is a loop, and no recursion.
    if (this.#isGranting) return;
    this.#isGranting = true;
    try {
      while (this.#isReleased && this.#waiting.length > 0) {
        this.#isReleased = false;
        this.#grant();
      }
    } finally {
      this.#isGranting = false;
    }
  }

  #grant(): void {
    const granted: Entry[] = [];
    const still: Entry[] = [];
    for (const waiting of this.#waiting) {
      if (this.#canGrant(waiting, still)) {
        this.#hold(waiting);
        granted.push(waiting);
      } else {
        still.push(waiting);
      }
    }
    this.#waiting = still;
    for (const waiting of granted) waiting.granted(waiting, waiting.context);
  }

  #hold(entry: Entry): void {
    entry.next = this.#firstHeld;
    if (this.#firstHeld !== null) this.#firstHeld.previous = entry;
    this.#firstHeld = entry;
    this.#heldCount++;
  }

  #letGo(entry: Entry): void {
    if (entry.previous !== null) entry.previous.next = entry.next;
    else if (this.#firstHeld === entry) this.#firstHeld = entry.next;
    else return;
    if (entry.next !== null) entry.next.previous = entry.previous;
    entry.previous = null;
    entry.next = null;
    this.#heldCount--;
  }

  #canGrant(entry: RangeLockEntry, before: readonly RangeLockEntry[]): boolean {
    for (let held = this.#firstHeld; held !== null; held = held.next)
      if (conflicts(held, entry)) return false;
    return before.length === 0 || !before.some((waiting) => conflicts(waiting, entry));
  }
}

function conflicts(a: RangeLockEntry, b: RangeLockEntry): boolean {
  return (a.isExclusive || b.isExclusive) && a.offset < b.end && b.offset < a.end;
}
