import { Op, readBytes, request, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { pairsPerBlock, sumBlockCount } from "./header.ts";
import type { Header } from "./header.ts";
import { decodeSumBlock, encodeSumBlock } from "./sum-block.ts";

// What `#writtenIn` says of a block of which either sum may be the right one: as it was found on the disk, where it is
// durable; or since a write was begun that did not end well, and that may still be on its way there.
const FOUND = -1;
const UNSURE = Infinity;

const READ_LENGTH = 1_048_576;

/** Bytes of memory that a table takes for each block. */
export const BYTES_PER_BLOCK = 16;

/**
 * The sums of all blocks, in memory and on the disk. On the disk every block has two, and what a power cut leaves of the block
 * fits one of them. In memory the first is that of what a read gives now, unless both may be.
 */
export class SumTable {
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #blockSize: number;
  readonly #pairs: Uint32Array;
  /** Per block: between which flushes it was written; `FOUND` or `UNSURE`. */
  readonly #writtenIn: Float64Array;
  /** Counts the flushes that were begun. */
  #flush = 1;
  /** What was written before this one began is durable. */
  #durableFlush = 0;
  /** The sum blocks that are written next. */
  #next: { readonly indexes: Set<number>; readonly done: Promise<void> } | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(lower: Layer, environment: Environment, header: Header) {
    this.#lower = lower;
    this.#environment = environment;
    this.#blockSize = header.blockSize;
    this.#pairs = new Uint32Array(2 * header.blockCount);
    this.#writtenIn = new Float64Array(header.blockCount);
  }

  /** Reads all sums. Throws a `MetadataError` where they are damaged. */
  async load(header: Header): Promise<void> {
    const size = this.#blockSize;
    const end = size * (1 + sumBlockCount(header));
    for (let at = size; at < end; at += READ_LENGTH) {
      const bytes = await readBytes(this.#lower, this.#environment, at, Math.min(READ_LENGTH, end - at));
      for (let within = 0; within < bytes.length; within += size) {
        const block = bytes.subarray(within, within + size);
        decodeSumBlock(block, (at + within) / size - 1, this.#pairs, at + within);
      }
    }
    for (let block = 0; block < header.blockCount; block++)
      if (this.#pairs[2 * block] !== this.#pairs[2 * block + 1]) this.#writtenIn[block] = FOUND;
  }

  /** Writes the sums of a new device, whose blocks all have this one. */
  async clear(header: Header, sum: number): Promise<void> {
    this.#pairs.fill(sum);
    await this.#write(Array.from({ length: sumBlockCount(header) }, (_, index) => index));
  }

  /** True when a block with this sum is what a read has to give. */
  fits(block: number, sum: number): boolean {
    return this.#pairs[2 * block] === sum || (this.isOpen(block) && this.#pairs[2 * block + 1] === sum);
  }

  /** The sum of what a read gives now; null while either may be. */
  known(block: number): number | null {
    return this.isOpen(block) ? null : this.#pairs[2 * block]!;
  }

  /** Either of its sums may be the right one. */
  isOpen(block: number): boolean {
    const writtenIn = this.#writtenIn[block];
    return writtenIn === FOUND || writtenIn === UNSURE;
  }

  /** A power cut could leave what was there before the last write. */
  isVolatile(block: number): boolean {
    return this.#writtenIn[block]! > this.#durableFlush;
  }

  /** A block was read whose sum is this. Of two that may be right, this tells which one is; null, or one that fits neither: none. */
  settle(block: number, sum: number | null): void {
    const first = this.#pairs[2 * block]!;
    const second = this.#pairs[2 * block + 1]!;
    if (second === sum) {
      this.#pairs[2 * block] = second;
      this.#pairs[2 * block + 1] = first;
    }
    this.#writtenIn[block] = this.#writtenIn[block] === UNSURE ? this.#flush : 0;
  }

  /** Either sum is right from now on: the one that was known, or a new one, which takes the place of what was before that. */
  offer(block: number, sum: number): void {
    this.#pairs[2 * block + 1] = sum;
    this.#writtenIn[block] = UNSURE;
  }

  /** Nothing was written after all: what an offer is taken back of was durable before it. */
  withdraw(block: number): void {
    this.#writtenIn[block] = 0;
  }

  /** The block was written: its new sum is the right one. */
  accept(block: number, isDurable: boolean): void {
    const old = this.#pairs[2 * block]!;
    this.#pairs[2 * block] = this.#pairs[2 * block + 1]!;
    this.#pairs[2 * block + 1] = old;
    this.#writtenIn[block] = isDurable ? this.#durableFlush : this.#flush;
  }

  /** Runs a flush of the device below. What was written before it began is durable afterwards. */
  async duringFlush(flush: () => Promise<void>): Promise<void> {
    const mine = this.#flush++;
    await flush();
    this.#durableFlush = Math.max(this.#durableFlush, mine);
  }

  /** Flushes the device below. */
  flush(): Promise<void> {
    return this.duringFlush(() => request(this.#lower, this.#environment, Op.flush, 0, 0));
  }

  /** Makes the sums of some blocks durable. Those that come while others are written go together, as one. */
  commit(firstBlock: number, blockCount: number): Promise<void> {
    let next = this.#next;
    if (next === null) {
      const indexes = new Set<number>();
      const done = this.#last.then(() => {
        this.#next = null;
        return this.#write([...indexes].sort((a, b) => a - b));
      });
      this.#last = done.catch(() => undefined);
      this.#next = next = { indexes, done };
    }
    const perBlock = pairsPerBlock(this.#blockSize);
    const lastIndex = Math.floor((firstBlock + blockCount - 1) / perBlock);
    for (let index = Math.floor(firstBlock / perBlock); index <= lastIndex; index++) next.indexes.add(index);
    return next.done;
  }

  /** Before a close: of each block one sum alone. */
  async reduce(): Promise<void> {
    await this.flush();
    const perBlock = pairsPerBlock(this.#blockSize);
    const indexes = new Set<number>();
    for (let block = 0; block < this.#writtenIn.length; block++)
      if (this.#canReduce(block)) indexes.add(Math.floor(block / perBlock));
    await this.#write([...indexes]);
  }

  #canReduce(block: number): boolean {
    const isDouble = this.#pairs[2 * block] !== this.#pairs[2 * block + 1];
    return isDouble && !this.isOpen(block) && !this.isVolatile(block);
  }

  /** Writes sum blocks, by their indexes in order, neighbours together. All have ended when this does. */
  async #write(indexes: readonly number[]): Promise<void> {
    if (indexes.length === 0) return;
    const writes: Promise<void>[] = [];
    const hasFua = this.#lower.support.fua !== "none";
    for (let at = 0; at < indexes.length;) {
      let count = 1;
      while (indexes[at + count] === indexes[at]! + count) count++;
      const bytes = this.#encode(indexes[at]!, count);
      const offset = this.#blockSize * (1 + indexes[at]!);
      writes.push(writeBytes(this.#lower, this.#environment, offset, bytes, hasFua));
      at += count;
    }
    // One that is still on its way could overtake the next.
    const outcomes = await Promise.allSettled(writes);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    if (!hasFua) await this.flush();
  }

  #encode(firstIndex: number, count: number): Uint8Array {
    const size = this.#blockSize;
    const perBlock = pairsPerBlock(size);
    const bytes = new Uint8Array(count * size);
    const end = Math.min(this.#writtenIn.length, (firstIndex + count) * perBlock);
    // What is durable needs no other sum any more: from now on nothing but itself will do.
    for (let block = firstIndex * perBlock; block < end; block++)
      if (this.#canReduce(block)) this.#pairs[2 * block + 1] = this.#pairs[2 * block]!;
    for (let index = 0; index < count; index++)
      encodeSumBlock(bytes.subarray(index * size, (index + 1) * size), firstIndex + index, this.#pairs);
    return bytes;
  }
}
