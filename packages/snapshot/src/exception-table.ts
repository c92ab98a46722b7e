const EMPTY = -1;
const CAPACITY_MIN = 64;

/**
 * Which chunk of the origin lies in which chunk of the store: a flat hash table with open addressing, at most three quarters
 * full. A million exceptions take 32 MiB; looking up and adding allocates nothing until it grows.
 */
export class ExceptionTable {
  #oldChunks: Float64Array = new Float64Array(CAPACITY_MIN).fill(EMPTY);
  #newChunks: Float64Array = new Float64Array(CAPACITY_MIN);
  #mask = CAPACITY_MIN - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The chunk of the store; -1: the chunk is not in it. */
  get(oldChunk: number): number {
    const oldChunks = this.#oldChunks;
    for (let at = hash(oldChunk) & this.#mask; ; at = (at + 1) & this.#mask) {
      const found = oldChunks[at]!;
      if (found === oldChunk) return this.#newChunks[at]!;
      if (found === EMPTY) return -1;
    }
  }

  /** Adds an exception. False: there is one for that chunk already, which stays. */
  add(oldChunk: number, newChunk: number): boolean {
    if ((this.#size + 1) * 4 > (this.#mask + 1) * 3) this.#grow();
    let at = hash(oldChunk) & this.#mask;
    for (; this.#oldChunks[at]! !== EMPTY; at = (at + 1) & this.#mask)
      if (this.#oldChunks[at] === oldChunk) return false;
    this.#oldChunks[at] = oldChunk;
    this.#newChunks[at] = newChunk;
    this.#size++;
    return true;
  }

  /** Takes an exception out. False: there is none. */
  delete(oldChunk: number): boolean {
    let hole = hash(oldChunk) & this.#mask;
    for (; this.#oldChunks[hole] !== oldChunk; hole = (hole + 1) & this.#mask)
      if (this.#oldChunks[hole] === EMPTY) return false;
    // Whatever follows without a gap and could stand in the hole moves there: no lookup may meet a gap too early.
    for (let at = (hole + 1) & this.#mask; this.#oldChunks[at] !== EMPTY; at = (at + 1) & this.#mask) {
      const home = hash(this.#oldChunks[at]!) & this.#mask;
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#oldChunks[hole] = this.#oldChunks[at]!;
      this.#newChunks[hole] = this.#newChunks[at]!;
      hole = at;
    }
    this.#oldChunks[hole] = EMPTY;
    this.#size--;
    return true;
  }

  #grow(): void {
    const oldChunks = this.#oldChunks;
    const newChunks = this.#newChunks;
    const capacity = oldChunks.length * 2;
    this.#oldChunks = new Float64Array(capacity).fill(EMPTY);
    this.#newChunks = new Float64Array(capacity);
    this.#mask = capacity - 1;
    this.#size = 0;
    for (let at = 0; at < oldChunks.length; at++)
      if (oldChunks[at] !== EMPTY) this.add(oldChunks[at]!, newChunks[at]!);
  }
}

/** Spreads neighbouring chunks far apart. Chunk numbers may pass 32 bits. */
function hash(chunk: number): number {
  const low = chunk | 0;
  const high = chunk > 0xffff_ffff ? Math.floor(chunk / 2 ** 32) : 0;
  const mixed = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}
