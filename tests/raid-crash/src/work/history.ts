/** Bytes that a device writes whole or not at all. */
export const BLOCK = 512;

/** A write that was begun. */
export interface HistoryWrite {
  readonly offset: number;
  readonly length: number;
  readonly order: number;
}

interface Version {
  readonly order: number;
  /** Null: anything, as nothing was ever written there. */
  readonly data: Uint8Array | null;
}

/**
 * What each block of a device may hold after a power cut: what was made durable last, or anything whose writing was begun
 * since. Writes that overlap must not be under way together.
 */
export class History {
  #blocks: (readonly Version[])[];
  // Writes that have completed and that no flush has covered.
  #completed: HistoryWrite[] = [];
  #order = 0;

  /** Of a device that holds this for certain. */
  constructor(content: Uint8Array) {
    this.#blocks = blocksOf(content).map((data) => [{ order: 0, data }]);
  }

  get size(): number {
    return this.#blocks.length * BLOCK;
  }

  /** A write was begun: from now on each of its blocks may hold it. */
  began(offset: number, data: Uint8Array): HistoryWrite {
    const write = { offset, length: data.length, order: ++this.#order };
    blocksOf(data).forEach((part, index) => {
      const at = offset / BLOCK + index;
      this.#blocks[at] = [...this.#blocks[at]!, { order: write.order, data: part }];
    });
    return write;
  }

  /** A write succeeded. `isDurable`: it was FUA. */
  completed(write: HistoryWrite, isDurable: boolean): void {
    if (isDurable) this.#makeDurable(write);
    else this.#completed.push(write);
  }

  /** A flush was begun. What it covers is durable once the function that comes back is called. */
  flushBegan(): () => void {
    const covered = [...this.#completed];
    return () => {
      for (const write of covered) this.#makeDurable(write);
      this.#completed = this.#completed.filter((write) => !covered.includes(write));
    };
  }

  /** The device has this size now; what is new of it may hold anything. */
  grew(size: number): void {
    const added = Math.max(0, size / BLOCK - this.#blocks.length);
    this.#blocks = [...this.#blocks, ...Array.from({ length: added }, () => [{ order: 0, data: null }])];
  }

  /** What was read after a restart stays: it is what the blocks hold from now on. */
  learn(bytes: Uint8Array, isKnown: (offset: number) => boolean): void {
    blocksOf(bytes).forEach((data, index) => {
      if (isKnown(index * BLOCK)) this.#blocks[index] = [{ order: ++this.#order, data }];
    });
  }

  copy(): History {
    const copy = new History(new Uint8Array(0));
    copy.#blocks = [...this.#blocks];
    copy.#completed = [...this.#completed];
    copy.#order = this.#order;
    return copy;
  }

  /** Offset of the first block of `bytes`, read at `offset`, that holds what it may not; -1 when there is none. */
  firstWrong(bytes: Uint8Array, offset = 0): number {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const held = Buffer.from(bytes.buffer, bytes.byteOffset + at, BLOCK);
      const versions = this.#blocks[(offset + at) / BLOCK]!;
      if (versions.every(({ data }) => data !== null && held.compare(data) !== 0)) return offset + at;
    }
    return -1;
  }

  #makeDurable({ offset, length, order }: HistoryWrite): void {
    for (let at = offset / BLOCK; at < (offset + length) / BLOCK; at++)
      this.#blocks[at] = this.#blocks[at]!.filter((version) => version.order >= order);
  }
}

function blocksOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / BLOCK }, (_, index) =>
    bytes.slice(index * BLOCK, (index + 1) * BLOCK),
  );
}
