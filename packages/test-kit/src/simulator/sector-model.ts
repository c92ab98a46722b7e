const SECTOR = 512;
const WORDS = SECTOR / 4;

interface Version {
  readonly order: number;
  /** Words of a write, from `at` on; null: it may be anything. */
  readonly words: Uint32Array | null;
  readonly at: number;
}

/** A write that was begun. */
export interface ModelWrite {
  readonly sector: number;
  readonly count: number;
  readonly order: number;
}

const ANYTHING: Version = { order: 0, words: null, at: 0 };

/**
 * What each sector of a device may hold: what was made durable last, or anything whose writing was begun since. Writes that
 * overlap must not be under way together.
 */
export class SectorModel {
  readonly #sectors: (readonly Version[])[];
  // Writes that have completed and that no flush has covered.
  #completed: ModelWrite[] = [];
  #order = 0;

  /** Of a device that may hold anything. */
  constructor(sectorCount: number) {
    this.#sectors = Array.from({ length: sectorCount }, () => [ANYTHING]);
  }

  get sectorCount(): number {
    return this.#sectors.length;
  }

  /** A write, or with null a discard, was begun. `words` must stay as they are. */
  began(sector: number, count: number, words: Uint32Array | null): ModelWrite {
    const write = { sector, count, order: ++this.#order };
    for (let index = 0; index < count; index++) {
      const version = { order: write.order, words, at: index * WORDS };
      this.#sectors[sector + index] = [...this.#sectors[sector + index]!, version];
    }
    return write;
  }

  completed(write: ModelWrite, isDurable: boolean): void {
    if (isDurable) this.#makeDurable(write);
    else this.#completed.push(write);
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
    this.#completed = [];
  }

  /** What was read of all of it is what it holds now, whatever was known before. */
  learn(words: Uint32Array): void {
    const order = ++this.#order;
    for (let index = 0; index < this.#sectors.length; index++) {
      // What was discarded may be read in another way each time: copies of it need not be equal.
      const isOpen = order > 1 && this.#sectors[index]!.some((version) => version.words === null);
      this.#sectors[index] = [isOpen ? { order, words: null, at: 0 } : { order, words, at: index * WORDS }];
    }
    this.#completed = [];
  }

  /** The first sector that holds what it may not; -1: there is none. */
  firstWrong(words: Uint32Array, sector = 0): number {
    const count = words.length / WORDS;
    for (let index = 0; index < count; index++) {
      if (!isOneOf(this.#sectors[sector + index]!, words, index * WORDS)) return sector + index;
    }
    return -1;
  }

  #makeDurable({ sector, count, order }: ModelWrite): void {
    for (let at = sector; at < sector + count; at++)
      this.#sectors[at] = this.#sectors[at]!.filter((version) => version.order >= order);
  }
}

function isOneOf(versions: readonly Version[], words: Uint32Array, at: number): boolean {
  for (const version of versions) {
    if (version.words === null) return true;
    let index = 0;
    while (index < WORDS && version.words[version.at + index] === words[at + index]) index++;
    if (index === WORDS) return true;
  }
  return false;
}
