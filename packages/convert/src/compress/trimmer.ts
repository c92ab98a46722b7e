import { Op, isCevError, request } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { Allocator } from "./allocator.ts";
import type { Superblock } from "./superblock.ts";

// When a device is closed, so many bins are discarded at the most: they are hints.
const CLOSE_MAX = 4096;

/** Settings of a `Trimmer`. */
export interface TrimmerOptions {
  readonly lower: Layer;
  readonly environment: Environment;
  readonly superblock: Superblock;
  readonly allocator: Allocator;
  readonly isWanted: boolean;
  /** Whether one bin more may be in use for a while. */
  readonly hasRoom: () => boolean;
  /** A bin is free again. */
  readonly onRoom: () => void;
}

/**
 * Discards below what a commit has left wholly free: one bin after the other, beside the work. A bin is in use while it is discarded, so
 * nothing is written to it that the discard could take away.
 */
export class Trimmer {
  readonly #options: TrimmerOptions;
  readonly #isUseful: boolean;
  #running: Promise<void> | null = null;
  /** Those who wait until no bin is held. */
  #pauseCount = 0;

  constructor(options: TrimmerOptions) {
    const { limits, support } = options.lower;
    const { chunkSize } = options.superblock;
    this.#options = options;
    this.#isUseful =
      options.isWanted &&
      support.discard === "native" &&
      chunkSize % limits.discardGranularity === 0 &&
      chunkSize <= limits.ioLengthMax;
  }

  /** Only after a commit: what is free then is named by nothing that a power cut could bring back. */
  start(): void {
    if (!this.#isUseful || this.#pauseCount > 0 || this.#running !== null) return;
    const running = this.#discard(Infinity).finally(() => {
      this.#running = null;
    });
    this.#running = running;
  }

  /** Runs at a time when no bin is held, and none is taken. */
  async pause<T>(run: () => T | Promise<T>): Promise<T> {
    this.#pauseCount++;
    try {
      await this.#running;
      return await run();
    } finally {
      this.#pauseCount--;
    }
  }

  /** Discards what is left, when nothing else goes on any more. */
  async close(): Promise<void> {
    await this.#running;
    if (this.#isUseful) await this.#discard(CLOSE_MAX);
  }

  async #discard(countMax: number): Promise<void> {
    const { lower, environment, superblock, allocator, hasRoom, onRoom } = this.#options;
    const { chunkSize, dataOffset } = superblock;
    for (let count = 0; count < countMax && this.#pauseCount === 0 && hasRoom(); count++) {
      const bin = allocator.takeEmptied();
      if (bin < 0) return;
      try {
        await request(lower, environment, Op.discard, dataOffset + bin * chunkSize, chunkSize);
      } catch (error) {
        // Room that stays taken below does no harm here.
        if (!isCevError(error)) throw error;
      } finally {
        allocator.putBack(bin);
        onRoom();
      }
    }
  }
}
