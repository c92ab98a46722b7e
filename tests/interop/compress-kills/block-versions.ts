import { Random } from "../src/random.ts";

export const BLOCK = 4096;

/** Which versions each block of a device may hold after a crash: the one that was durable last, or any that was begun since. */
export class BlockVersions {
  readonly blockCount: number;
  /** Of each block, in the order in which they were begun. */
  readonly #begun: number[][];
  /** How many of those before the last durable one have been dropped: then an index means the same for ever. */
  readonly #dropped: number[];
  /** Index of the last that has been answered. */
  readonly #answered: number[];
  #last = 0;

  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.#begun = Array.from({ length: blockCount }, () => [0]);
    this.#dropped = this.#begun.map(() => 0);
    this.#answered = this.#begun.map(() => 0);
  }

  /** A write of these blocks begins: what it writes. */
  begin(block: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count * BLOCK);
    for (let index = 0; index < count; index++) {
      const version = ++this.#last;
      this.#begun[block + index]!.push(version);
      bytes.set(contentOf(version), index * BLOCK);
    }
    return bytes;
  }

  /** A write of a block begins that another program fills with one byte, 1 to 255. */
  beginPattern(block: number, byte: number): void {
    this.#begun[block]!.push(-byte);
  }

  /** The write that was begun last of these blocks has been answered. */
  answer(block: number, count: number): void {
    for (let at = block; at < block + count; at++)
      this.#answered[at] = this.#dropped[at]! + this.#begun[at]!.length - 1;
  }

  /** What has been answered by now; once a flush that begins now has been answered, it is durable: `keep`. */
  answered(): readonly number[] {
    return [...this.#answered];
  }

  keep(durable: readonly number[]): void {
    for (const [block, index] of durable.entries()) {
      const extra = index - this.#dropped[block]!;
      if (extra <= 0) continue;
      this.#begun[block]!.splice(0, extra);
      this.#dropped[block] = index;
    }
  }

  keepBlocks(block: number, count: number): void {
    this.keep(this.#answered.map((index, at) => (at >= block && at < block + count ? index : 0)));
  }

  /** Throws if a block holds what it may not. What is there is durable from now on. Returns how many blocks have lost an answered write. */
  settle(contents: Uint8Array): number {
    let lostCount = 0;
    for (let block = 0; block < this.blockCount; block++) {
      const found = contents.subarray(block * BLOCK, (block + 1) * BLOCK);
      const begun = this.#begun[block]!;
      const index = begun.findIndex((version) => Buffer.compare(contentOf(version), found) === 0);
      if (index < 0)
        throw new Error(
          `block ${block} holds neither version ${begun[0]}, which is durable, nor one of the ${begun.length - 1} since`,
        );
      if (index < this.#answered[block]! - this.#dropped[block]!) lostCount++;
      this.#begun[block] = [begun[index]!];
      this.#dropped[block] = 0;
      this.#answered[block] = 0;
    }
    return lostCount;
  }
}

/** Two of three can be compressed. Negative ones are patterns. */
function contentOf(version: number): Uint8Array {
  if (version <= 0) return new Uint8Array(BLOCK).fill(-version);
  const words = new Uint32Array(BLOCK / 4);
  const bytes = new Uint8Array(words.buffer);
  if (version % 3 === 0) bytes.set(new Random(version).bytes(BLOCK));
  words.fill(version, 0, 64);
  return bytes;
}
