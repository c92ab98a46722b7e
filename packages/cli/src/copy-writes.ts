import type { Device } from "@cev/core";
import { zeroRuns } from "./zero-runs.ts";

const WRITES_MAX = 4;
const ZEROES = new Uint8Array(1 << 20);

/**
 * Writes a device in order, with several requests under way; zeroes are written as such, so that holes stay holes below. The
 * first that fails ends it.
 */
export class DeviceWrites {
  readonly #device: Device;
  readonly #signal: AbortSignal;
  readonly #underWay: Promise<void>[] = [];
  /** Rejects when the signal aborts: what has been sent to a server that hangs cannot be called back, and never ends. */
  readonly #aborted: Promise<never>;

  constructor(device: Device, signal: AbortSignal) {
    this.#device = device;
    this.#signal = signal;
    this.#aborted = new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    this.#aborted.catch(() => undefined);
  }

  /** Waits until there is room for it. The bytes have to stay as they are until it has ended. */
  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#add(() => this.#writeRuns(offset, data));
  }

  /** So many bytes of zeroes, at most 1 MiB. */
  writeZeroes(offset: number, length: number): Promise<void> {
    return this.#add(() => this.#writeZeroes(offset, length));
  }

  /** Waits for all of them, and makes them last. */
  async finish(): Promise<void> {
    await Promise.race([Promise.all(this.#underWay), this.#aborted]);
    if (this.#device.support.flush === "none") return;
    await Promise.race([this.#device.flush({ signal: this.#signal }), this.#aborted]);
  }

  /** Waits until nothing is under way any more, however it ended. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #add(start: () => Promise<void>): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#underWay.length >= WRITES_MAX) {
      await Promise.race([this.#underWay[0], this.#aborted]);
      void this.#underWay.shift();
    }
    const writing = start();
    // Whoever ends early leaves writes behind, which `settle` waits for; the first error is the one told.
    writing.catch(() => undefined);
    this.#underWay.push(writing);
  }

  async #writeRuns(offset: number, data: Uint8Array): Promise<void> {
    const device = this.#device;
    if (device.support.writeZeroes === "none") return this.#writeData(offset, data);
    for (const { start, end, isZero } of zeroRuns(data)) {
      if (isZero) await this.#writeZeroes(offset + start, end - start);
      else await this.#writeData(offset + start, data.subarray(start, end));
    }
  }

  #writeData(offset: number, data: Uint8Array): Promise<void> {
    return this.#device.write(offset, data, { signal: this.#signal });
  }

  #writeZeroes(offset: number, length: number): Promise<void> {
    if (this.#device.support.writeZeroes === "none")
      return this.#writeData(offset, ZEROES.subarray(0, length));
    return this.#device.writeZeroes(offset, length, { signal: this.#signal });
  }
}
