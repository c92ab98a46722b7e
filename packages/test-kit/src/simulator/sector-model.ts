const SECTOR = 512;
const WORDS = SECTOR / 4;

/** A write that was begun. */
export interface ModelWrite {
  readonly sector: number;
  readonly count: number;
  /** What it puts there; null: it may be anything. */
  readonly words: Uint32Array | null;
  /** When it was begun. */
  readonly order: number;
  /** When it ended, with an error or without. Infinity: it is under way. */
  endedAt: number;
}

/** What a sector may hold, the oldest first. Never altered: replaced. */
type Versions = readonly ModelWrite[];

/**
 * What each sector of a device may hold: what was made durable last, or anything whose writing was begun since. Of writes that overlap and
 * were under way together any may have been the last.
 */
export class SectorModel {
  readonly #sectors: Versions[];
  readonly #underWay = new Set<ModelWrite>();
  // Writes that have completed and that no flush has covered.
  #completed: ModelWrite[] = [];
  #order = 0;

  /** Of a device that may hold anything. */
  constructor(sectorCount: number) {
    const anything = [{ sector: 0, count: sectorCount, words: null, order: 0, endedAt: 0 }];
    this.#sectors = Array.from({ length: sectorCount }, () => anything);
  }

  get sectorCount(): number {
    return this.#sectors.length;
  }

  /** A write, or with null a discard, was begun. `words` must stay as they are. */
  began(sector: number, count: number, words: Uint32Array | null): ModelWrite {
    const write = { sector, count, words, order: ++this.#order, endedAt: Infinity };
    this.#underWay.add(write);
    this.#replace(write, (versions) => [...versions, write]);
    return write;
  }

  completed(write: ModelWrite, isDurable: boolean): void {
    this.#ended(write);
    if (isDurable) this.#makeDurable(write);
    else this.#completed.push(write);
  }

  /** It may have happened, or not, or in part. */
  failed(write: ModelWrite): void {
    this.#ended(write);
  }

  /** A flush was begun. What it covers is durable once the function that comes back is called. */
  flushBegan(): () => void {
    const covered = new Set(this.#completed);
    return () => {
      for (const write of covered) this.#makeDurable(write);
      this.#completed = this.#completed.filter((write) => !covered.has(write));
    };
  }

  /** The power went: no flush covers what was completed before it. */
  cut(): void {
    for (const write of [...this.#underWay]) this.#ended(write);
    this.#completed = [];
  }

  /** It may hold what the other may. */
  take(other: SectorModel): void {
    for (let index = 0; index < this.#sectors.length; index++) this.#sectors[index] = other.#sectors[index]!;
    this.#order = other.#order;
    this.#completed = [];
  }

  /** What was read of all of it is what it holds now, whatever was known before. */
  learn(words: Uint32Array): void {
    const order = ++this.#order;
    const count = this.#sectors.length;
    const known = [{ sector: 0, count, words, order, endedAt: order }];
    const open = [{ sector: 0, count, words: null, order, endedAt: order }];
    for (let index = 0; index < count; index++) {
      // What was discarded may be read in another way each time: copies of it need not be equal.
      const isOpen = order > 1 && this.#sectors[index]!.some((version) => version.words === null);
      this.#sectors[index] = isOpen ? open : known;
    }
    this.#completed = [];
  }

  /** What a range may hold now, for a read that begins. */
  versions(sector: number, count: number): readonly Versions[] {
    return this.#sectors.slice(sector, sector + count);
  }

  /** The first sector that holds what it may not; -1: there is none. `before`: what the range might hold when the read began. */
  firstWrong(words: Uint32Array, sector = 0, before: readonly Versions[] | null = null): number {
    const count = words.length / WORDS;
    for (let index = 0; index < count; index++) {
      const at = sector + index;
      if (isOneOf(this.#sectors[at]!, at, words, index * WORDS)) continue;
      if (before === null || !isOneOf(before[index]!, at, words, index * WORDS)) return at;
    }
    return -1;
  }

  #ended(write: ModelWrite): void {
    write.endedAt = ++this.#order;
    this.#underWay.delete(write);
  }

  /** What had ended when it was begun cannot come back. */
  #makeDurable(write: ModelWrite): void {
    this.#replace(write, (versions) => versions.filter(({ endedAt }) => endedAt > write.order));
  }

  /** Neighbours mostly have the same past, and then share what comes of it. */
  #replace({ sector, count }: ModelWrite, next: (versions: Versions) => Versions): void {
    let before: Versions | null = null;
    let after: Versions = [];
    for (let at = sector; at < sector + count; at++) {
      const versions = this.#sectors[at]!;
      if (versions !== before) {
        before = versions;
        after = next(versions);
      }
      this.#sectors[at] = after;
    }
  }
}

function isOneOf(versions: Versions, sector: number, words: Uint32Array, at: number): boolean {
  // The last one is what it mostly is.
  for (let version = versions.length - 1; version >= 0; version--) {
    const { words: known, sector: start } = versions[version]!;
    if (known === null) return true;
    const from = (sector - start) * WORDS;
    let index = 0;
    while (index < WORDS && known[from + index] === words[at + index]) index++;
    if (index === WORDS) return true;
  }
  return false;
}
