/** A write that was begun. */
export interface BegunWrite {
  readonly offset: number;
  readonly length: number;
  readonly order: number;
}

interface Version {
  readonly order: number;
  /** Null: anything. */
  readonly data: Uint8Array | null;
}

/**
 * What each block of a device may hold after a power cut: what was made durable last, or anything whose writing was begun since. Writes that
 * overlap must not be under way together.
 */
export class DurabilityModel {
  readonly blockSize: number;
  #blocks: (readonly Version[])[];
  // Writes that have completed and that no flush has covered.
  #completed: BegunWrite[] = [];
  #order = 0;

  /** Of a device that holds this for certain. `blockSize`: bytes that are written whole or not at all. Default 512. */
  constructor(content: Uint8Array, blockSize = 512) {
    this.blockSize = blockSize;
    this.#blocks = this.#partsOf(content).map((data) => [{ order: 0, data }]);
  }

  get size(): number {
    return this.#blocks.length * this.blockSize;
  }

  /** A write was begun: from now on each of its blocks may hold it. Its memory may be used for something else afterwards. */
  began(offset: number, data: Uint8Array): BegunWrite {
    const parts = this.#partsOf(data);
    return this.#began(offset, data.length, (index) => parts[index]!);
  }

  /** A discard was begun, or a write of unknown content: from now on its blocks may hold anything. */
  forget(offset: number, length: number): BegunWrite {
    return this.#began(offset, length, () => null);
  }

  /** A write succeeded. `isDurable`: it was FUA. */
  completed(write: BegunWrite, isDurable: boolean): void {
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

  /** The device has this size now; what is new of it may hold anything. */
  grew(size: number): void {
    const count = Math.max(0, size / this.blockSize - this.#blocks.length);
    this.#blocks = [...this.#blocks, ...Array.from({ length: count }, () => [{ order: 0, data: null }])];
  }

  /** What was read after a restart stays: it is what the blocks hold from now on. `isKnown`: of which of them, by their offsets. */
  learn(bytes: Uint8Array, isKnown: (offset: number) => boolean = () => true): void {
    this.#partsOf(bytes).forEach((data, index) => {
      if (isKnown(index * this.blockSize)) this.#blocks[index] = [{ order: ++this.#order, data }];
    });
  }

  /** Offset of the first block of `bytes`, read at `offset`, that holds what it may not; -1 when there is none. */
  firstWrong(bytes: Uint8Array, offset = 0): number {
    for (let at = 0; at < bytes.length; at += this.blockSize) {
      const versions = this.#blocks[(offset + at) / this.blockSize]!;
      if (versions.every(({ data }) => data !== null && !isEqual(data, bytes, at))) return offset + at;
    }
    return -1;
  }

  /** As it is now: what happens afterwards changes one of the two alone. */
  copy(): DurabilityModel {
    const copy = new DurabilityModel(new Uint8Array(0), this.blockSize);
    copy.#blocks = [...this.#blocks];
    copy.#completed = [...this.#completed];
    copy.#order = this.#order;
    return copy;
  }

  #began(offset: number, length: number, dataOf: (index: number) => Uint8Array | null): BegunWrite {
    const write = { offset, length, order: ++this.#order };
    for (let index = 0; index < length / this.blockSize; index++) {
      const at = offset / this.blockSize + index;
      this.#blocks[at] = [...this.#blocks[at]!, { order: write.order, data: dataOf(index) }];
    }
    return write;
  }

  #makeDurable({ offset, length, order }: BegunWrite): void {
    for (let at = offset / this.blockSize; at < (offset + length) / this.blockSize; at++)
      this.#blocks[at] = this.#blocks[at]!.filter((version) => version.order >= order);
  }

  #partsOf(bytes: Uint8Array): Uint8Array[] {
    return Array.from({ length: bytes.length / this.blockSize }, (_, index) =>
      bytes.slice(index * this.blockSize, (index + 1) * this.blockSize),
    );
  }
}

function isEqual(data: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < data.length; index++) if (data[index] !== bytes[at + index]) return false;
  return true;
}
