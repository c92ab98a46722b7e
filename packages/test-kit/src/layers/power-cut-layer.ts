import { FULL_SUPPORT, IoFlag, LayerBase, Op, ioError, plainLimits, refuse, supportOf } from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import { runsOfBytes } from "../bytes.ts";
import { VolatileCache } from "../model/volatile-cache.ts";
import type { CachePolicy, CachedChange, CachedPart } from "../model/volatile-cache.ts";
import type { Random } from "../random.ts";

/** Settings of a `PowerCutLayer`. */
export interface PowerCutOptions {
  readonly size: number;
  readonly blockSize?: number;
  /** The longest request. Default: any. */
  readonly ioLengthMax?: number;
  /** What is written whole or not at all when the power goes. Default 512 bytes. */
  readonly atomicLength?: number;
  /** Requests complete at once (default), or in a later turn: then a cut finds some of them under way. */
  readonly completion?: "atOnce" | "later";
  readonly support?: Partial<Support>;
  readonly contents?: Uint8Array;
  /** `contents` is the medium itself, and not copied: nobody else may write to it. */
  readonly sharesContents?: boolean;
}

/**
 * A disk with a volatile cache. Reads see every write; a power cut loses whatever was not made durable by a flush that
 * began after the write had completed, or by FUA: of each sector it keeps the durable contents or any later one, so
 * writes are lost, reordered and torn. What remains depends on the random numbers alone.
 */
export class PowerCutLayer extends LayerBase {
  readonly name = "power-cut";
  readonly limits: Limits;
  readonly support: Support;
  /** How often the power went. */
  cutCount = 0;
  readonly #environment: Environment;
  /** What is written whole or not at all. Bytes. */
  atomicLength: number;
  readonly #durable: Uint8Array;
  readonly #completion: "atOnce" | "later";
  readonly #cache: VolatileCache;
  /** Told before a request changes anything, or makes anything durable. */
  onChange: (() => void) | null = null;
  #underWay = new Set<Io>();

  constructor(environment: Environment, options: PowerCutOptions) {
    super();
    const { blockSize = 512, ioLengthMax } = options;
    this.limits = plainLimits(options.size, {
      logicalBlockSize: blockSize,
      ...(ioLengthMax === undefined ? {} : { ioLengthMax }),
    });
    this.support = { ...FULL_SUPPORT, ...options.support };
    this.#environment = environment;
    this.atomicLength = options.atomicLength ?? 512;
    this.#completion = options.completion ?? "atOnce";
    this.#cache = new VolatileCache(Math.min(512, this.atomicLength, this.limits.logicalBlockSize));
    const { contents, sharesContents = false } = options;
    const isShared = sharesContents && contents?.length === options.size;
    this.#durable = isShared ? contents : new Uint8Array(options.size);
    if (contents !== undefined && !isShared) this.#durable.set(contents);
  }

  /** How many writes a power cut could lose. */
  get unflushedCount(): number {
    return this.#cache.changeCount;
  }

  /** A copy of what reads see. */
  get contents(): Uint8Array {
    return this.#seen(0, this.limits.size);
  }

  submit(io: Io): void {
    const hasFua = (io.flags & IoFlag.fua) !== 0;
    if (supportOf(this.support, io.op) === "none" || (hasFua && this.support.fua === "none"))
      return refuse(io, this);
    if (io.op !== Op.read) this.onChange?.();
    const end = this.#begin(io, hasFua);
    if (this.#completion === "atOnce") {
      end();
      return io.complete();
    }
    this.#underWay.add(io);
    this.#environment.later(() => {
      // After a cut it is not here any more.
      if (!this.#underWay.delete(io)) return;
      end();
      io.complete();
    });
  }

  /** What the disk could hold if the power went now. Changes nothing. */
  imageAfterCut(random: Random, policy: CachePolicy = "sectors"): Uint8Array {
    const image = this.#durable.slice();
    for (const part of this.#cache.survivors(random, policy, this.atomicLength)) copyPart(part, image);
    return image;
  }

  /** The power goes: requests under way fail with `CEV_DEVICE_LOST`, and the disk comes back with what is left. */
  cut(random: Random, policy: CachePolicy = "sectors"): void {
    this.cutCount++;
    const underWay = this.#underWay;
    this.takeAfterCut(random, policy);
    for (const io of underWay) io.complete(ioError(io, "CEV_DEVICE_LOST", "the power went", this.name));
  }

  /**
   * The power goes for good: what is left is the medium itself, not a copy, and may be handed to another layer as what it shares. Requests
   * under way never end.
   */
  takeAfterCut(random: Random, policy: CachePolicy = "sectors"): Uint8Array {
    const survivors = this.#cache.survivors(random, policy, this.atomicLength);
    for (const part of survivors) copyPart(part, this.#durable);
    this.#cache.clear();
    this.#underWay = new Set();
    return this.#durable;
  }

  /** Blocks of zeroes are holes, however they came to be zeroes. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    const seen = this.#cache.changeCount === 0 ? this.#durable : this.contents;
    return runsOfBytes(seen, offset, length, { countMax, blockSize: this.limits.logicalBlockSize });
  }

  describe(): LayerDescription {
    return { driver: "power-cut", options: { size: this.limits.size }, lowers: [] };
  }

  /** Does what a request asks for. Returns what is left to do when it completes. */
  #begin(io: Io, hasFua: boolean): () => void {
    const { offset, length, data, dataOffset } = io;
    switch (io.op) {
      case Op.write:
        return this.#change(offset, data.slice(dataOffset, dataOffset + length), hasFua);
      case Op.writeZeroes:
        return this.#change(offset, new Uint8Array(length), hasFua);
      case Op.discard:
        return this.#change(offset, new Uint8Array(length).fill(0xdd), hasFua);
      case Op.flush: {
        // Only what had completed when the flush began is covered.
        const covered = this.#cache.completed();
        return () => {
          for (const change of covered) this.#makeDurable(change);
        };
      }
      default:
        return () => this.#readInto(data, dataOffset, { offset, length });
    }
  }

  #change(offset: number, data: Uint8Array, isDurable: boolean): () => void {
    const change = this.#cache.begin({ offset, length: data.length, tag: 0 }, data);
    return () => {
      this.#cache.complete(change);
      if (isDurable) this.#makeDurable(change);
    };
  }

  #seen(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#readInto(bytes, 0, { offset, length });
    return bytes;
  }

  /** What is on the medium, and over it what is cached. */
  #readInto(data: Uint8Array, dataOffset: number, { offset, length }: Range): void {
    data.set(this.#durable.subarray(offset, offset + length), dataOffset);
    if (this.#cache.changeCount === 0) return;
    const { blockSize } = this.#cache;
    const start = offset - (offset % blockSize);
    for (const { change, within, length: count } of this.#cache.newest(start, offset + length - start)) {
      const at = change.offset + within;
      const from = Math.max(at, offset);
      const end = Math.min(at + count, offset + length);
      change.copyTo(data, dataOffset + from - offset, within + from - at, end - from);
    }
  }

  /** It is on the disk, and with it, sector by sector, no older state can come back. */
  #makeDurable(change: CachedChange): void {
    for (const part of this.#cache.liveParts(change)) copyPart(part, this.#durable);
    this.#cache.makeDurable(change);
  }
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

function copyPart({ change, within, length }: CachedPart, image: Uint8Array): void {
  change.copyTo(image, change.offset + within, within, length);
}

/** The power goes on several disks at once. */
export function cutPower(layers: readonly PowerCutLayer[], random: Random): void {
  for (const layer of layers) layer.cut(random);
}
