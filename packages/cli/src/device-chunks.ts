import type { Chunk, Device, Extent } from "@cev/core";

const CHUNK = 1 << 20;
const READS_MAX = 4;
// So much of a device is asked for at once, when it is asked what is zero.
const WINDOW = 256 * CHUNK;

/** A part of a device's content, in order. */
export interface DeviceChunk {
  readonly offset: number;
  readonly length: number;
  /** Null: zeroes, which nobody had to read. */
  readonly data: Uint8Array | null;
}

/**
 * All of a device, in chunks of 1 MiB and in order, several reads at once. Chunks of which its layers know that they are zeroes are not
 * read: nothing may write to the device meanwhile.
 */
export async function* deviceChunks(
  device: Device,
  signal: AbortSignal,
): AsyncGenerator<DeviceChunk, void, void> {
  const zeroes = device.knowsExtents ? new KnownZeroes(device, signal) : null;
  const underWay: Promise<DeviceChunk>[] = [];
  for (let offset = 0; offset < device.size; offset += CHUNK) {
    const length = Math.min(CHUNK, device.size - offset);
    const isZero = zeroes !== null && (await zeroes.has(offset, length));
    const chunk = isZero
      ? Promise.resolve({ offset, length, data: null })
      : read(device, offset, length, signal);
    // Whoever stops iterating leaves reads behind: their failure is nobody's.
    chunk.catch(() => undefined);
    underWay.push(chunk);
    if (underWay.length >= READS_MAX) yield await underWay.shift()!;
  }
  for (const chunk of underWay) yield await chunk;
}

/** The same, of what was read anyway. */
export async function* readChunks(chunks: AsyncIterable<Chunk>): AsyncGenerator<DeviceChunk, void, void> {
  for await (const { offset, data } of chunks) yield { offset, length: data.length, data };
}

async function read(
  device: Device,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<DeviceChunk> {
  return { offset, length, data: await device.read(offset, length, { signal }) };
}

/** Which parts of a device are known to be zeroes; asked for in order. */
class KnownZeroes {
  readonly #device: Device;
  readonly #signal: AbortSignal;
  #extents: readonly Extent[] = [];
  #start = 0;
  #end = 0;

  constructor(device: Device, signal: AbortSignal) {
    this.#device = device;
    this.#signal = signal;
  }

  async has(offset: number, length: number): Promise<boolean> {
    if (offset + length > this.#end) await this.#ask(offset);
    let at = this.#start;
    for (const extent of this.#extents) {
      if (at >= offset + length) break;
      if (at + extent.length > offset && !extent.isZero) return false;
      at += extent.length;
    }
    return at >= offset + length;
  }

  async #ask(offset: number): Promise<void> {
    const length = Math.min(WINDOW, this.#device.size - offset);
    this.#start = offset;
    this.#end = offset + length;
    try {
      this.#extents = await this.#device.extents(offset, length, { signal: this.#signal });
    } catch {
      // Then it is read, and whatever is wrong comes to light there.
      this.#extents = [];
    }
  }
}
