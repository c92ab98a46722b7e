import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { PARTITIONS_MAX, PARTITIONS_START, encodePartitionTable } from "./partition-table.ts";
import type { Partition } from "./partition-table.ts";

const ALIGNMENT = 4096;
const BLOCK = 65_536;

/**
 * One image file with the members of many arrays, a partition each: one start of the kernel serves them all, and finds
 * them without running a program for each.
 */
export class SharedDisk implements Disposable {
  readonly path: string;
  readonly #file: number;
  readonly #partitions: Partition[] = [];
  #end = PARTITIONS_START;

  /** Makes the file anew. */
  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, "w+");
  }

  /** How many more members fit. */
  get room(): number {
    return PARTITIONS_MAX - this.#partitions.length;
  }

  /** Adds a member of zeroes; its number, from 0. */
  add(size: number): number {
    if (this.room === 0) throw new Error("the disk has all the partitions that a kernel takes");
    this.#partitions.push({ offset: this.#end, size });
    this.#end = Math.ceil((this.#end + size) / ALIGNMENT) * ALIGNMENT;
    return this.#partitions.length - 1;
  }

  /** The kernel's name for a member. */
  deviceOf(member: number): string {
    return `/dev/ubda${member + 1}`;
  }

  /** Writes the table of partitions; afterwards members can be read and written. */
  finish(): void {
    const size = this.#end + PARTITIONS_START;
    ftruncateSync(this.#file, size);
    writeAll(this.#file, encodePartitionTable(this.#partitions, size), 0);
  }

  read(member: number): Uint8Array {
    const { offset, size } = this.#partitions[member]!;
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const count = readSync(this.#file, bytes, at, size - at, offset + at);
      if (count === 0) throw new Error(`${this.path} ends in member ${member}`);
      at += count;
    }
    return bytes;
  }

  /** Writes a whole member; what is zero stays a hole. */
  write(member: number, bytes: Uint8Array): void {
    const { offset, size } = this.#partitions[member]!;
    if (bytes.length !== size) throw new Error(`member ${member} has ${size} bytes, not ${bytes.length}`);
    for (let at = 0; at < size; at += BLOCK) {
      const block = bytes.subarray(at, at + BLOCK);
      if (!isZero(block)) writeAll(this.#file, block, offset + at);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

const ZEROES = Buffer.alloc(BLOCK);

function isZero(bytes: Uint8Array): boolean {
  return ZEROES.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, position + at);
}
