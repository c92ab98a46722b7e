import { isCevError } from "@cev/core";
import type { CevError, Device } from "@cev/core";
import type { Random, SimulatedWorld } from "@cev/test-kit";
import { BLOCK } from "./history.ts";
import type { History } from "./history.ts";
import { delay } from "./world.ts";

/** What a `Workload` is made of. */
export interface WorkloadOptions {
  readonly world: SimulatedWorld;
  readonly random: Random;
  readonly device: Device;
  /** What may be read after a power cut. */
  readonly durable: History;
  /** What may be read now: the newest, or either where a write failed. */
  readonly now: History;
  /** Which errors are no violation. Default: none. */
  readonly mayFail?: (error: CevError) => boolean;
  /** The part of the requests that are cancelled after a while. Default 0. */
  readonly cancelChance?: number;
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Reads, writes and flushes of a run, told to histories. No two that touch one block are under way together. */
export class Workload {
  /** What went wrong, in words: reads that gave what was never written, errors that ought not to be. */
  readonly violations: string[] = [];
  /** How many requests succeeded, and how many failed as they may. */
  doneCount = 0;
  failedCount = 0;
  readonly #options: WorkloadOptions;
  readonly #random: Random;
  readonly #taken: Range[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  /** Some requests at once; resolves when all have ended. */
  async burst(): Promise<void> {
    const random = this.#random;
    const parts: Promise<void>[] = [];
    for (let count = random.between(1, 5); count > 0; count--) {
      const what = random.below(10);
      if (what < 7) parts.push(this.write());
      else if (what < 9) parts.push(this.read());
      else parts.push(this.flush());
    }
    await Promise.all(parts);
  }

  /** A write of random length, perhaps FUA, perhaps of zeroes; none where it would touch one under way. */
  async write(): Promise<void> {
    const random = this.#random;
    const { device, durable, now } = this.#options;
    const range = this.#take(random.chance(0.25) ? 64 : 6);
    if (range === null) return;
    const { offset, length } = range;
    const isZeroes = random.chance(0.1) && device.support.writeZeroes !== "none";
    const data = isZeroes ? new Uint8Array(length) : random.bytes(length);
    const fua = random.chance(0.3);
    const durably = durable.began(offset, data);
    const seen = now.began(offset, data);
    await this.#judged("a write", range, async (options) => {
      if (isZeroes) await device.writeZeroes(offset, length, { ...options, fua });
      else await device.write(offset, data, { ...options, fua });
      durable.completed(durably, fua);
      now.completed(seen, true);
    });
  }

  async flush(): Promise<void> {
    const { device, durable } = this.#options;
    if (device.support.flush === "none") return;
    const covered = durable.flushBegan();
    await this.#judged("a flush", null, async (options) => {
      await device.flush(options);
      covered();
    });
  }

  /** A read of a range that nobody writes: it must give what was written last, whatever has failed. */
  async read(): Promise<void> {
    const { device, now } = this.#options;
    const range = this.#take(this.#random.chance(0.2) ? 96 : 8);
    if (range === null) return;
    await this.#judged("a read", range, async (options) => {
      const bytes = await device.read(range.offset, range.length, options);
      const wrong = now.firstWrong(bytes, range.offset);
      if (wrong >= 0) this.violations.push(`a read gave what was not written last, at byte ${wrong}`);
    });
  }

  /** Long enough for the array to be marked clean, and sometimes for bits of the bitmap to be cleared. */
  async rest(): Promise<void> {
    await delay(this.#options.world, this.#random.pick([10, 150, 450, 12_000]));
  }

  async #judged(
    what: string,
    range: Range | null,
    run: (options: { readonly signal?: AbortSignal }) => Promise<void>,
  ): Promise<void> {
    const { world, mayFail = () => false, cancelChance = 0 } = this.#options;
    let isCancelled = false;
    try {
      if (this.#random.chance(cancelChance)) {
        const controller = new AbortController();
        const timer = world.environment.clock.after(this.#random.between(0, 3), () => {
          isCancelled = true;
          controller.abort();
        });
        await run({ signal: controller.signal });
        timer.cancel();
      } else await run({});
      this.doneCount++;
    } catch (error) {
      this.failedCount++;
      if (!isCevError(error)) throw error;
      if ((isCancelled && error.code === "CEV_CANCELLED") || mayFail(error)) return;
      this.violations.push(`${what} failed: ${error.code} ${error.message}`);
    } finally {
      if (range !== null) this.#taken.splice(this.#taken.indexOf(range), 1);
    }
  }

  #take(blocksMax: number): Range | null {
    const blocks = this.#options.device.size / BLOCK;
    const count = Math.min(this.#random.between(1, blocksMax), blocks);
    const range = { offset: this.#random.below(blocks - count + 1) * BLOCK, length: count * BLOCK };
    const end = range.offset + range.length;
    if (this.#taken.some((other) => range.offset < other.offset + other.length && other.offset < end))
      return null;
    this.#taken.push(range);
    return range;
  }
}

/** All that a device gives: null bytes stand where it refuses. */
export interface WholeRead {
  readonly bytes: Uint8Array;
  readonly isKnown: (offset: number) => boolean;
  readonly refused: readonly CevError[];
}

/** Reads a device piece by piece. */
export async function readAll(device: Device, step = 4096): Promise<WholeRead> {
  const bytes = new Uint8Array(device.size);
  const unknown = new Set<number>();
  const refused: CevError[] = [];
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

/** The first byte that was read and is none of those that a history allows; -1 when there is none. */
export function firstWrongOf({ bytes, isKnown }: WholeRead, history: History): number {
  for (let at = 0; at < bytes.length; at += BLOCK) {
    if (isKnown(at) && history.firstWrong(bytes.subarray(at, at + BLOCK), at) >= 0) return at;
  }
  return -1;
}

/** True where two reads give different bytes, as far as both gave any. */
export function isUnlike(a: WholeRead, b: WholeRead): boolean {
  for (let at = 0; at < a.bytes.length; at += BLOCK) {
    if (!a.isKnown(at) || !b.isKnown(at)) continue;
    if (Buffer.compare(a.bytes.subarray(at, at + BLOCK), b.bytes.subarray(at, at + BLOCK)) !== 0) return true;
  }
  return false;
}
