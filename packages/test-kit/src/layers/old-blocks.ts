import type { Io } from "@cev/core";

/** What blocks held before they were written last, as long as there is room; those written longest ago go first. */
export class OldBlocks {
  readonly memoryMax: number;
  readonly #blockSize: number;
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(blockSize: number, memoryMax: number) {
    this.#blockSize = blockSize;
    this.memoryMax = memoryMax;
  }

  remember(offset: number, data: Uint8Array): void {
    this.forget(offset, data.length);
    for (let at = 0; at < data.length; at += this.#blockSize)
      this.#blocks.set(offset + at, data.slice(at, at + this.#blockSize));
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size * this.#blockSize <= this.memoryMax) break;
      this.#blocks.delete(oldest);
    }
  }

  forget(offset: number, length: number): void {
    for (let at = offset; at < offset + length; at += this.#blockSize) this.#blocks.delete(at);
  }

  clear(): void {
    this.#blocks.clear();
  }

  /** Whether an old state of any block of the range is known. */
  knows(offset: number, length: number): boolean {
    for (let at = offset; at < offset + length; at += this.#blockSize) if (this.#blocks.has(at)) return true;
    return false;
  }

  /** Puts old blocks over what was read. Returns where. */
  show(io: Io): { offset: number; length: number }[] {
    const shown: { offset: number; length: number }[] = [];
    for (let at = io.offset; at < io.offset + io.length; at += this.#blockSize) {
      const old = this.#blocks.get(at);
      if (old === undefined) continue;
      io.data.set(old, io.dataOffset + at - io.offset);
      shown.push({ offset: at, length: old.length });
    }
    return shown;
  }
}
