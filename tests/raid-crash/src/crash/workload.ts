import { isCevError } from "@cev/core";
import type { Device } from "@cev/core";
import type { Random, SimulatedWorld } from "@cev/test-kit";
import { BLOCK } from "../history.ts";
import type { History } from "../history.ts";
import { delay } from "./world.ts";

/** Reads and writes of a run, told to a history. */
export class Workload {
  readonly #world: SimulatedWorld;
  readonly #random: Random;
  readonly #history: History;
  readonly #device: Device;
  /** What went wrong: reads that gave what was never written, errors that ought not to be. */
  readonly violations: string[] = [];
  // Ranges that are being written: no two may overlap, nor be read.
  readonly #taken: { readonly offset: number; readonly end: number }[] = [];
  /** Errors are expected, because more is gone than the redundancy makes up for. */
  mayFail = false;

  constructor(world: SimulatedWorld, random: Random, history: History, device: Device) {
    this.#world = world;
    this.#random = random;
    this.#history = history;
    this.#device = device;
  }

  /** A burst of writes, reads and flushes at once; resolves when all have ended. */
  async burst(): Promise<void> {
    const random = this.#random;
    const count = random.between(1, 5);
    const parts: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      const what = random.below(10);
      if (what < 7) parts.push(this.write());
      else if (what < 9) parts.push(this.read());
      else parts.push(this.flush());
    }
    await Promise.all(parts);
  }

  /** A write of random length, perhaps FUA; none where it would touch one under way. */
  async write(): Promise<void> {
    const random = this.#random;
    const range = this.#range(random.chance(0.25) ? 64 : 6);
    if (range === null) return;
    const { offset, length } = range;
    const isZeroes = random.chance(0.1) && this.#device.support.writeZeroes !== "none";
    const data = isZeroes ? new Uint8Array(length) : random.bytes(length);
    const fua = random.chance(0.3);
    const write = this.#history.began(offset, data);
    try {
      if (isZeroes) await this.#device.writeZeroes(offset, length, { fua });
      else await this.#device.write(offset, data, { fua });
      this.#history.completed(write, fua);
    } catch (error) {
      this.#failed("a write", error);
    } finally {
      this.#give(range);
    }
  }

  async flush(): Promise<void> {
    if (this.#device.support.flush === "none") return;
    const covered = this.#history.flushBegan();
    try {
      await this.#device.flush();
      covered();
    } catch (error) {
      this.#failed("a flush", error);
    }
  }

  /** A read of a range that nobody writes: it must give what was written last, whatever has failed. */
  async read(): Promise<void> {
    const range = this.#range(32);
    if (range === null) return;
    try {
      const bytes = await this.#device.read(range.offset, range.length);
      const wrong = this.#history.firstWrong(bytes, range.offset);
      if (wrong >= 0) this.violations.push(`a read gave what was never written, at byte ${wrong}`);
    } catch (error) {
      this.#failed("a read", error);
    } finally {
      this.#give(range);
    }
  }

  /** Long enough for the array to be marked clean, and sometimes for bits of the bitmap to be cleared. */
  async rest(): Promise<void> {
    await delay(this.#world, this.#random.pick([10, 150, 450, 12_000]));
  }

  #range(blocksMax: number): { offset: number; end: number; length: number } | null {
    const blocks = this.#device.size / BLOCK;
    const count = Math.min(this.#random.between(1, blocksMax), blocks);
    const offset = this.#random.below(blocks - count + 1) * BLOCK;
    const range = { offset, end: offset + count * BLOCK, length: count * BLOCK };
    if (this.#taken.some((other) => range.offset < other.end && other.offset < range.end)) return null;
    this.#taken.push(range);
    return range;
  }

  #give(range: { readonly offset: number; readonly end: number }): void {
    this.#taken.splice(this.#taken.indexOf(range), 1);
  }

  #failed(what: string, error: unknown): void {
    if (this.mayFail && isCevError(error)) return;
    this.violations.push(`${what} failed: ${isCevError(error) ? error.code : ""} ${String(error)}`);
  }
}

/** Reads a device chunk by chunk. Null bytes stand where it refuses: `isKnown` tells. */
export async function readAll(
  device: Device,
  step = 4096,
): Promise<{
  readonly bytes: Uint8Array;
  readonly isKnown: (offset: number) => boolean;
  readonly refused: readonly Error[];
}> {
  const bytes = new Uint8Array(device.size);
  const unknown = new Set<number>();
  const refused: Error[] = [];
  for (let at = 0; at < device.size; at += step) {
    try {
      bytes.set(await device.read(at, Math.min(step, device.size - at)), at);
    } catch (error) {
      if (!isCevError(error)) throw error;
      unknown.add(at / step);
      refused.push(error);
    }
  }
  return { bytes, isKnown: (offset) => !unknown.has(Math.floor(offset / step)), refused };
}
