import { CevError, readBytes, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import {
  BITS_OFFSET,
  bitsLength,
  clearBit,
  countBits,
  decodeMirrorLog,
  encodeMirrorLog,
  hasBit,
  setBit,
} from "./log-format.ts";

/** Where a mirror keeps which of its regions are clean. */
export interface RegionLogOptions {
  readonly environment: Environment;
  /** Null: in memory alone. */
  readonly layer: Layer | null;
  readonly regionCount: number;
}

/** The bits on the log device as they are now, of which the clean ones count; read only. */
export async function readLogBits({
  environment,
  layer,
  regionCount,
}: RegionLogOptions): Promise<Uint8Array> {
  const length = bitsLength(regionCount);
  if (layer === null) return new Uint8Array(length);
  const place = { source: layer.name, structure: "mirror log", byteOffset: 0 };
  if (BITS_OFFSET + length > layer.limits.size)
    throw new CevError(
      "CEV_BAD_METADATA",
      `${layer.name} has ${layer.limits.size} bytes, too few for the log of ${regionCount} regions`,
    );
  const bytes = await readBytes(layer, environment, 0, BITS_OFFSET + length);
  const bits = bytes.slice(BITS_OFFSET);
  // What the log does not speak of, because there is none or the mirror has grown since, is not known to be in sync.
  const known = Math.min(decodeMirrorLog(bytes, place)?.regionCount ?? 0, regionCount);
  for (let index = known; index < length * 8; index++) clearBit(bits, index);
  return bits;
}

/**
 * Which regions of a mirror are in sync, and which of them the log calls clean. What is called clean on the log device may be
 * believed after a crash: a region is called dirty there before it is written, and clean only when all images have it for good.
 */
export class RegionLog {
  readonly regionCount: number;
  readonly #environment: Environment;
  readonly #layer: Layer | null;
  /** All images hold the same. */
  readonly #inSync: Uint8Array;
  /** As on the log device, or as it is to be there next: header and bits in whole blocks. */
  readonly #image: Uint8Array;
  /** The bits within it. */
  readonly #clean: Uint8Array;
  /** Requests under way, by region; a region with none is not there. */
  readonly #writes = new Map<number, number>();
  /** Regions that were written, are in sync, and may be called clean once all images have them for good. */
  #settled = new Set<number>();
  #firstChanged = Infinity;
  #lastChanged = -1;
  #writing: Promise<void> | null = null;
  #syncedCount: number;
  /** The region that is being copied; -1: none. */
  #copying = -1;
  #isCopySpoiled = false;

  private constructor(options: RegionLogOptions, bits: Uint8Array) {
    const { environment, layer, regionCount } = options;
    this.#environment = environment;
    this.#layer = layer;
    this.regionCount = regionCount;
    const blockSize = layer?.limits.logicalBlockSize ?? 512;
    this.#image = new Uint8Array(Math.ceil((BITS_OFFSET + bits.length) / blockSize) * blockSize);
    this.#image.set(encodeMirrorLog({ regionCount }));
    this.#image.set(bits, BITS_OFFSET);
    this.#clean = this.#image.subarray(BITS_OFFSET, BITS_OFFSET + bits.length);
    this.#inSync = bits.slice();
    this.#syncedCount = countBits(bits, regionCount);
  }

  /** Reads the log device; `isReadOnly`: leaves it as it is, otherwise makes it one for this many regions. */
  static async open(options: RegionLogOptions, isReadOnly: boolean): Promise<RegionLog> {
    const log = new RegionLog(options, await readLogBits(options));
    if (!isReadOnly && options.layer !== null)
      await writeBytes(options.layer, options.environment, 0, log.#image, true);
    return log;
  }

  get syncedCount(): number {
    return this.#syncedCount;
  }

  isInSync(first: number, last: number): boolean {
    for (let region = first; region <= last; region++) if (!hasBit(this.#inSync, region)) return false;
    return true;
  }

  /** The first region from `from` on that is not in sync; -1: there is none. */
  nextUnsynced(from: number): number {
    for (let region = from; region < this.regionCount; region++) {
      // Eight at a time, where they are.
      if ((region & 7) === 0 && this.#inSync[region >>> 3] === 255) region += 7;
      else if (!hasBit(this.#inSync, region)) return region;
    }
    return -1;
  }

  /** Counts a request to some regions as under way. True: the log calls them dirty; false: `marked` has to be waited for. */
  begin(first: number, last: number): boolean {
    for (let region = first; region <= last; region++) {
      this.#writes.set(region, (this.#writes.get(region) ?? 0) + 1);
      this.#settled.delete(region);
      if (!hasBit(this.#clean, region)) continue;
      clearBit(this.#clean, region);
      this.#changed(region);
    }
    return this.#layer === null || (this.#lastChanged < 0 && this.#writing === null);
  }

  /** Resolves once the log device says all that was begun. Rejects where it cannot be written. */
  async marked(): Promise<void> {
    while (this.#lastChanged >= 0 || this.#writing !== null) {
      // What was changed while a write of the log was under way goes with the next one.
      if (this.#writing === null) this.#writing = this.#write().finally(() => (this.#writing = null));
      await this.#writing;
    }
  }

  /** A request has ended. `isSame`: all images took it. */
  end(first: number, last: number, isSame: boolean): void {
    for (let region = first; region <= last; region++) {
      const count = this.#writes.get(region)! - 1;
      if (count > 0) this.#writes.set(region, count);
      else this.#writes.delete(region);
      if (!isSame) this.#lose(region);
      else if (count === 0 && hasBit(this.#inSync, region)) this.#settled.add(region);
    }
  }

  /** A region is about to be copied to all images, while requests to it go on. */
  beginCopy(region: number): void {
    this.#copying = region;
    this.#isCopySpoiled = false;
  }

  /** It has been. In sync it is unless a request came in meanwhile that not all images took. */
  endCopy(): void {
    const region = this.#copying;
    this.#copying = -1;
    if (this.#isCopySpoiled) return;
    if (!hasBit(this.#inSync, region)) this.#syncedCount++;
    setBit(this.#inSync, region);
    if (!this.#writes.has(region)) this.#settled.add(region);
  }

  get hasSettled(): boolean {
    return this.#settled.size > 0;
  }

  /** Calls clean what nobody has written since it was settled. `flush`: makes all that was written durable on all images. */
  async clean(flush: () => Promise<void>): Promise<void> {
    const settled = this.#settled;
    if (settled.size === 0) return;
    this.#settled = new Set();
    await flush();
    for (const region of settled) {
      // Written again meanwhile, it is settled again later.
      if (this.#writes.has(region) || this.#settled.has(region) || !hasBit(this.#inSync, region)) continue;
      if (hasBit(this.#clean, region)) continue;
      setBit(this.#clean, region);
      this.#changed(region);
    }
    if (this.#layer === null) this.#forgetChanges();
    else await this.marked();
  }

  /** An image may have lost what it was given since it was flushed: what is not called clean is not known to be in sync. */
  doubt(): void {
    this.#isCopySpoiled = true;
    for (let region = 0; region < this.regionCount; region++)
      if (hasBit(this.#inSync, region) && !hasBit(this.#clean, region)) this.#lose(region);
  }

  #lose(region: number): void {
    if (region === this.#copying) this.#isCopySpoiled = true;
    if (hasBit(this.#inSync, region)) this.#syncedCount--;
    clearBit(this.#inSync, region);
    this.#settled.delete(region);
  }

  #changed(region: number): void {
    this.#firstChanged = Math.min(this.#firstChanged, region);
    this.#lastChanged = Math.max(this.#lastChanged, region);
  }

  #forgetChanges(): void {
    this.#firstChanged = Infinity;
    this.#lastChanged = -1;
  }

  async #write(): Promise<void> {
    const layer = this.#layer!;
    const { logicalBlockSize } = layer.limits;
    const [first, last] = [this.#firstChanged, this.#lastChanged];
    const start = BITS_OFFSET + (first >>> 3);
    const from = start - (start % logicalBlockSize);
    const to = Math.ceil((BITS_OFFSET + (last >>> 3) + 1) / logicalBlockSize) * logicalBlockSize;
    this.#forgetChanges();
    try {
      // A copy: bits may change while it is under way.
      await writeBytes(layer, this.#environment, from, this.#image.slice(from, to), true);
    } catch (error) {
      // Nobody knows what is there now: the next request writes all of it again.
      this.#changed(first);
      this.#changed(last);
      throw error;
    }
  }
}
