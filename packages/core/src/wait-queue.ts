/** What a wait queue runs: a function with its context, so that no closure is needed per entry. */
export type Action<E, C> = (event: E, context: C) => void;

type StoredAction = (event: unknown, context: unknown) => void;

/** Settings of a `WaitQueue`. */
export interface WaitQueueOptions {
  /** Order of ordinary entries: first come first served ("fifo", the default), or newest first. */
  readonly order?: "fifo" | "lifo";
  /** Which exclusive entry is woken first. The newest has the warmest cache; the oldest is fair (default). */
  readonly exclusive?: "oldest" | "newest";
}

/** A place in a `WaitQueue`, to leave it again. */
export interface WaitEntry {
  readonly isExclusive: boolean;
}

interface Entry extends WaitEntry {
  readonly action: StoredAction;
  readonly context: unknown;
  isQueued: boolean;
}

/**
 * A wait queue whose entries are actions: whoever wakes the queue runs them. It works for any event, can be
 * woken any number of times, and takes each entry out before it runs it, so an entry runs at most once.
 *
 * A wake runs the ordinary entries that stood in the queue when it began, and at most `exclusiveMax`
 * exclusive ones; entries added meanwhile wait for the next wake, and a wake within a wake is allowed.
 */
export class WaitQueue<E> {
  readonly #order: "fifo" | "lifo";
  readonly #exclusiveOrder: "oldest" | "newest";
  #ordinary: Entry[] = [];
  readonly #exclusive: Entry[] = [];

  constructor(options: WaitQueueOptions = {}) {
    this.#order = options.order ?? "fifo";
    this.#exclusiveOrder = options.exclusive ?? "oldest";
  }

  /** How many entries wait. */
  get length(): number {
    return this.#ordinary.length + this.#exclusive.length;
  }

  /** Adds an entry that every wake runs. */
  add<C>(action: Action<E, C>, context: C): WaitEntry {
    const entry = newEntry(action as StoredAction, context, false);
    this.#ordinary.push(entry);
    return entry;
  }

  /** Adds an entry of which a wake runs only as many as it has to give away. */
  addExclusive<C>(action: Action<E, C>, context: C): WaitEntry {
    const entry = newEntry(action as StoredAction, context, true);
    this.#exclusive.push(entry);
    return entry;
  }

  /** Takes an entry out before it was woken. False when it has run already or is about to. */
  remove(entry: WaitEntry): boolean {
    const list = entry.isExclusive ? this.#exclusive : this.#ordinary;
    const index = list.indexOf(entry as Entry);
    if (index < 0) return false;
    list.splice(index, 1);
    (entry as Entry).isQueued = false;
    return true;
  }

  /**
   * Runs all ordinary entries and at most `exclusiveMax` exclusive ones, and returns how many ran. Every
   * entry runs, also when one before it throws; the first such error is thrown at the end.
   */
  wake(event: E, exclusiveMax = 1): number {
    const woken = this.#ordinary;
    this.#ordinary = [];
    if (this.#order === "lifo") woken.reverse();
    const taken = Math.min(exclusiveMax, this.#exclusive.length);
    if (this.#exclusiveOrder === "newest") {
      for (let count = 0; count < taken; count++) woken.push(this.#exclusive.pop()!);
    } else if (taken > 0) {
      woken.push(...this.#exclusive.splice(0, taken));
    }
    let thrown: { error: unknown } | null = null;
    for (const entry of woken) {
      entry.isQueued = false;
      try {
        entry.action(event, entry.context);
      } catch (error) {
        thrown ??= { error };
      }
    }
    if (thrown !== null) throw thrown.error;
    return woken.length;
  }
}

function newEntry(action: StoredAction, context: unknown, isExclusive: boolean): Entry {
  return { action, context, isExclusive, isQueued: true };
}
