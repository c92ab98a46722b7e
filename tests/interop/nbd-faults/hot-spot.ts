import { Device, environmentFrom } from "@cev/core";
import { NbdLayer } from "@cev/nbd";
import type { NbdOptions } from "@cev/nbd";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../src/random.ts";

const BLOCK = 4096;
const BLOCKS = 128;
const RUN_MAX = 12;
const WORKERS = 16;

/** Bytes of a disk that it needs. */
export const HOT_LENGTH: number = BLOCK * BLOCKS;

/**
 * A client in this process that writes the same few blocks over and over, and reads each time what it wrote last: what fio, which
 * writes each block once, cannot see is an old write that comes back.
 */
export class HotSpot {
  requestCount = 0;
  readonly #device: Device;
  readonly #random: Random;
  readonly #offset: number;
  readonly #versions = new Uint32Array(BLOCKS);
  readonly #busy = new Set<number>();
  #lastVersion = 0;
  #isOver = false;
  #error: unknown = null;
  #done: Promise<unknown> = Promise.resolve();

  private constructor(device: Device, random: Random, offset: number) {
    this.#device = device;
    this.#random = random;
    this.#offset = offset;
  }

  static async start(options: NbdOptions, random: Random, offset: number): Promise<HotSpot> {
    const environment = environmentFrom(globalThis);
    const device = await Device.open(await NbdLayer.at(environment, options), environment);
    const spot = new HotSpot(device, random, offset);
    await device.write(offset, new Uint8Array(HOT_LENGTH));
    spot.#done = Promise.all(Array.from({ length: WORKERS }, () => spot.#work()));
    return spot;
  }

  /** Over when one more request is through, or it was stopped. */
  async nextAnswer(): Promise<void> {
    const before = this.requestCount;
    while (this.requestCount === before && !this.#isOver) await sleep(5);
  }

  /** Lets go of the server. Throws what was lost. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    if (this.#error === null) await this.#look(0, BLOCKS).catch((error: unknown) => (this.#error = error));
    await this.#device.close();
    if (this.#error !== null)
      throw new Error("the client that writes the same blocks again", { cause: this.#error });
  }

  async #work(): Promise<void> {
    const random = this.#random;
    while (!this.#isOver && this.#error === null) {
      const count = 1 + random.below(RUN_MAX);
      const block = random.below(BLOCKS - count + 1);
      const blocks = Array.from({ length: count }, (_, index) => block + index);
      // Two requests for one block at a time have no order that could be checked.
      if (blocks.some((each) => this.#busy.has(each))) {
        await sleep(1);
        continue;
      }
      for (const each of blocks) this.#busy.add(each);
      try {
        await this.#request(block, count);
      } catch (error) {
        this.#error ??= error;
      }
      for (const each of blocks) this.#busy.delete(each);
      this.requestCount++;
    }
  }

  async #request(block: number, count: number): Promise<void> {
    const chance = this.#random.below(20);
    if (chance === 0) return this.#device.flush();
    if (chance < 8) return this.#look(block, count);
    await this.#write(block, count, chance === 8);
    // At once again: what is answered is there.
    if (chance < 14) await this.#look(block, count);
  }

  async #write(block: number, count: number, isDurable: boolean): Promise<void> {
    const bytes = new Uint8Array(count * BLOCK);
    const words = new Uint32Array(bytes.buffer);
    const first = this.#lastVersion + 1;
    this.#lastVersion += count;
    for (let index = 0; index < count; index++)
      words.fill(first + index, (index * BLOCK) / 4, ((index + 1) * BLOCK) / 4);
    await this.#device.write(this.#offset + block * BLOCK, bytes, { fua: isDurable });
    for (let index = 0; index < count; index++) this.#versions[block + index] = first + index;
  }

  async #look(block: number, count: number): Promise<void> {
    const bytes = await this.#device.read(this.#offset + block * BLOCK, count * BLOCK);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let at = 0; at < words.length; at++) {
      const expected = this.#versions[block + Math.floor((at * 4) / BLOCK)]!;
      if (words[at] === expected) continue;
      const place = block * BLOCK + at * 4;
      throw new Error(`byte ${place} holds version ${words[at]}, and version ${expected} was answered`);
    }
  }
}
