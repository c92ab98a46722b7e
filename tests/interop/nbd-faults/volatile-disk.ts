import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { FULL_SUPPORT, IoFlag, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Support } from "@cev/core";
import type { Random } from "../src/random.ts";

const BLOCK = 4096;
/** Of the blocks of a write so many in a hundred reach the file by themselves. */
const EVICTED_PERCENT = 20;
const DELAY_MS_MAX = 3;

/**
 * A file under a volatile cache in the memory of this process: a flush, or FUA, writes to the file; of all else some blocks get there
 * by chance. Whoever kills the process cuts the power: what is left is what was flushed, and a random part of what was not.
 */
export class VolatileDisk extends LayerBase {
  readonly name = "volatile";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly #environment: Environment;
  readonly #random: Random;
  readonly #fd: number;
  readonly #cache = new Map<number, Uint8Array>();

  constructor(environment: Environment, path: string, random: Random) {
    super();
    this.#environment = environment;
    this.#random = random;
    this.#fd = openSync(path, "r+");
    this.limits = plainLimits(fstatSync(this.#fd).size, { logicalBlockSize: BLOCK });
  }

  /** What it asks for happens when it completes, sooner or later: requests overtake one another. */
  submit(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    const delayMs = this.#random.below(DELAY_MS_MAX + 1);
    const end = (): void => {
      this.#do(io);
      io.complete();
    };
    if (delayMs === 0) this.#environment.later(end);
    else this.#environment.clock.after(delayMs, end);
  }

  override close(): Promise<void> {
    this.#flush();
    closeSync(this.#fd);
    return Promise.resolve();
  }

  describe(): LayerDescription {
    return { driver: "volatile", options: {}, lowers: [] };
  }

  #do(io: Io): void {
    const { offset, length, data, dataOffset } = io;
    switch (io.op) {
      case Op.read:
        return this.#read(offset, data.subarray(dataOffset, dataOffset + length));
      case Op.write:
        return this.#write(io, data.slice(dataOffset, dataOffset + length));
      case Op.flush:
        return this.#flush();
      default:
        return this.#write(io, new Uint8Array(length));
    }
  }

  #read(offset: number, bytes: Uint8Array): void {
    readSync(this.#fd, bytes, 0, bytes.length, offset);
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const cached = this.#cache.get(offset + at);
      if (cached !== undefined) bytes.set(cached, at);
    }
  }

  #write({ offset, flags }: Io, bytes: Uint8Array): void {
    const isDurable = (flags & IoFlag.fua) !== 0;
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const block = bytes.subarray(at, at + BLOCK);
      if (isDurable || this.#random.below(100) < EVICTED_PERCENT) {
        this.#cache.delete(offset + at);
        writeSync(this.#fd, block, 0, BLOCK, offset + at);
      } else {
        this.#cache.set(offset + at, block);
      }
    }
  }

  #flush(): void {
    for (const [offset, block] of this.#cache) writeSync(this.#fd, block, 0, BLOCK, offset);
    this.#cache.clear();
  }
}
