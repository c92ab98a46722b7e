// Buckets; with more entries than that they are searched one after the other.
const BUCKET_COUNT = 1024;

/** What a `StripeTable` holds: an entry is in one table at most. */
export interface StripeEntry<T> {
  readonly stripe: number;
  /** @internal The next in the same bucket. */
  following: T | null;
}

/** Entries by stripe, linked through themselves: nothing is allocated, unlike with a `Map`. */
export class StripeTable<T extends StripeEntry<T>> {
  readonly #buckets: (T | null)[] = new Array<T | null>(BUCKET_COUNT).fill(null);
  /** How many entries there are. */
  count = 0;

  /** The entry of a stripe that was added last, or null. */
  get(stripe: number): T | null {
    let entry = this.#buckets[bucketOf(stripe)] ?? null;
    while (entry !== null && entry.stripe !== stripe) entry = entry.following;
    return entry;
  }

  /** Adds an entry; one of the same stripe that is there already is found again when this is taken out. */
  add(entry: T): void {
    const bucket = bucketOf(entry.stripe);
    entry.following = this.#buckets[bucket] ?? null;
    this.#buckets[bucket] = entry;
    this.count++;
  }

  /** Takes an entry out, if it is there. */
  remove(entry: T): void {
    const bucket = bucketOf(entry.stripe);
    let before: T | null = null;
    for (let other = this.#buckets[bucket] ?? null; other !== null; other = other.following) {
      if (other === entry) {
        if (before === null) this.#buckets[bucket] = entry.following;
        else before.following = entry.following;
        entry.following = null;
        this.count--;
        return;
      }
      before = other;
    }
  }
}

// Not `%`: on numbers past 2^31 it is slow.
function bucketOf(stripe: number): number {
  return stripe - Math.floor(stripe / BUCKET_COUNT) * BUCKET_COUNT;
}
