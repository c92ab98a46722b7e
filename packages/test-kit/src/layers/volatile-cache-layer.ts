import {
  CevError,
  IoFlag,
  LayerBase,
  Op,
  ioError,
  refuse,
  request,
  runAsBelow,
  runOf,
  supportOf,
} from "@cev/core";
import type { Environment, Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import { VolatileCache } from "../model/volatile-cache.ts";
import type { CachePolicy, CachedChange, CachedPart } from "../model/volatile-cache.ts";
import { Random } from "../random.ts";

/** Settings of a `VolatileCacheLayer`. */
export interface VolatileCacheOptions {
  readonly environment: Environment;
  /** Of what cuts leave. Default 1. */
  readonly seed?: number;
  /** What is written whole or not at all. Bytes. Default: 512, or the physical block where that is larger. */
  readonly atomicLength?: number;
  /** How many bytes are cached; what comes then waits until all of them are written below. Default 16 MiB. */
  readonly memoryMax?: number;
  /** Default "sectors". */
  readonly policy?: CachePolicy;
}

/** What became of the writes that were cached when the power went. */
export interface CutReport {
  /** How many changes were cached, and how many of them are there in whole, in part, not at all. */
  readonly changeCount: number;
  readonly keptCount: number;
  readonly tornCount: number;
  readonly lostCount: number;
  /** What is lost of them, in their order: ranges that hold what they held before, or a newer change. */
  readonly lost: readonly { readonly offset: number; readonly length: number }[];
}

/**
 * A volatile cache over any layer. Writes stay here until a flush, FUA, a close or a full memory; `cut` loses, reorders and tears what is here.
 * What was made durable lies below, and is asked there to be durable; what it takes the place of is read first, since until it has ended the
 * power may still take it.
 */
export class VolatileCacheLayer extends LayerBase {
  readonly name = "volatile-cache";
  readonly limits: Limits;
  readonly support: Support;
  /** How often the power went. */
  cutCount = 0;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #options: Required<Omit<VolatileCacheOptions, "environment">>;
  readonly #random: Random;
  readonly #cache: VolatileCache;
  /** Work below is done one after the other: so the order of what overlaps is never in doubt. */
  #work: Promise<void> = Promise.resolve();
  readonly #underWay = new Set<Io>();
  #isOff = false;

  constructor(lower: Layer, options: VolatileCacheOptions) {
    super([lower]);
    const { logicalBlockSize, physicalBlockSize } = lower.limits;
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    const { environment, ...others } = options;
    this.#environment = environment;
    const atomicLength = Math.max(512, physicalBlockSize);
    this.#options = { seed: 1, atomicLength, memoryMax: 16 * 1024 * 1024, policy: "sectors", ...others };
    this.#random = new Random(this.#options.seed);
    this.#cache = new VolatileCache(Math.min(512, this.#options.atomicLength, logicalBlockSize));
  }

  /** How many writes a power cut could lose. */
  get unflushedCount(): number {
    return this.#cache.changeCount;
  }

  /** True from a cut until `restore`. */
  get isOff(): boolean {
    return this.#isOff;
  }

  override async open(): Promise<void> {
    await super.open();
    this.restore();
  }

  submit(io: Io): void {
    const { op } = io;
    const hasFua = (io.flags & IoFlag.fua) !== 0;
    if (supportOf(this.support, op) === "none" || (hasFua && this.support.fua === "none"))
      return refuse(io, this);
    if (this.#isOff) return io.complete(ioError(io, "CEV_DEVICE_LOST", "the power is off", this.name));
    switch (op) {
      case Op.read:
        return this.#read(io);
      case Op.flush:
        return this.#later(io, () => this.#flush());
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        return this.#change(io, hasFua);
      default:
        return refuse(io, this);
    }
  }

  /**
   * The power goes: requests under way fail with `CEV_DEVICE_LOST`, what survives is written below, the rest is gone. Everything is refused
   * until `restore`, which may come once this is through. Rejects with the error of the layer below, and then more is lost than should be.
   */
  async cut(policy: CachePolicy = this.#options.policy): Promise<CutReport> {
    this.cutCount++;
    this.#isOff = true;
    const underWay = [...this.#underWay];
    this.#underWay.clear();
    for (const io of underWay) io.complete(ioError(io, "CEV_DEVICE_LOST", "the power went", this.name));
    // What is on its way below arrives there; of a durable write it is undone again. Then it is decided what is left.
    await this.#work;
    const changes = this.#cache.changes;
    const survivors = this.#cache.survivors(this.#random, policy, this.#options.atomicLength);
    const kept = Map.groupBy(survivors, ({ change }) => change);
    const lostParts = changes.map((change) => without(this.#cache.liveParts(change), kept.get(change) ?? []));
    this.#cache.clear();
    await this.#enqueue(async () => {
      for (const part of survivors) await this.#write(part, 0);
    });
    const torn = changes.filter((change, index) => kept.has(change) && lostParts[index]!.length > 0);
    return {
      changeCount: changes.length,
      keptCount: kept.size - torn.length,
      tornCount: torn.length,
      lostCount: changes.length - kept.size,
      lost: lostParts.flat(),
    };
  }

  /** The power is back. */
  restore(): void {
    this.#isOff = false;
  }

  runs(offset: number, length: number): readonly Run[] {
    return this.#cache.touches(offset, length)
      ? runOf("data", length)
      : runAsBelow(this.#lower, offset, length);
  }

  /** Writes what is cached; not after a cut. */
  override async close(): Promise<void> {
    try {
      if (this.#isOff) await this.#work;
      else if (this.#cache.changeCount > 0)
        await this.#enqueue(() => (this.support.flush === "none" ? this.#writeBack() : this.#flush()));
    } finally {
      this.#cache.clear();
      await super.close();
    }
  }

  describe(): LayerDescription {
    return { driver: "@cev/test-kit/power-cut", options: this.#options, lowers: [this.#lower.describe()] };
  }

  /** Also what is cached is asked for below: a lower that is lost shall be noticed. */
  #read(io: Io): void {
    const parts = this.#cache.newest(io.offset, io.length);
    if (parts.length > 0) io.pushAction(showCached, parts);
    this.#lower.submit(io);
  }

  #change(io: Io, hasFua: boolean): void {
    const { op, offset, length, data, dataOffset } = io;
    // Zeroes and discards of a whole device take no memory below, and shall take none here.
    if (length > this.#options.memoryMax) return this.#later(io, () => this.#writeThrough(io));
    const content =
      op === Op.write ? data.slice(dataOffset, dataOffset + length) : op === Op.discard ? 0xdd : 0;
    const tag = op | ((io.flags & IoFlag.noHole) << TAG_FLAGS);
    const change = this.#cache.begin({ offset, length, tag }, content);
    if (hasFua) return this.#later(io, () => this.#makeDurable(change));
    this.#cache.complete(change);
    if (this.#cache.byteCount > this.#options.memoryMax) return this.#later(io, () => this.#writeBack());
    io.complete();
  }

  /** The request ends when the work is done, after all work before it; after a cut it has ended already, and the work is not done. */
  #later(io: Io, work: () => Promise<void>): void {
    this.#underWay.add(io);
    this.#enqueue(() => (this.#underWay.has(io) ? work() : Promise.resolve())).then(
      () => {
        if (this.#underWay.delete(io)) io.complete();
      },
      (error: unknown) => {
        if (!this.#underWay.delete(io)) return;
        if (error instanceof CevError) io.complete(error);
        else io.fail("CEV_PROGRAM", "met a bug", this.name, error);
      },
    );
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  async #flush(): Promise<void> {
    await this.#writeBack();
    if (!this.#isOff) await request(this.#lower, this.#environment, Op.flush, 0, 0);
  }

  /** Writes what has completed, oldest first. What fails stays here, for the next time. */
  async #writeBack(): Promise<void> {
    for (const change of this.#cache.completed()) {
      if (this.#isOff) return;
      for (const part of this.#cache.liveParts(change)) await this.#write(part, 0);
      this.#cache.makeDurable(change);
    }
  }

  /** Writes one change with FUA, before what was cached earlier: that is gone where they overlap. */
  async #makeDurable(change: CachedChange): Promise<void> {
    const old: Replaced[] = [];
    try {
      for (const part of this.#cache.liveParts(change)) {
        const bytes = await this.#below(part);
        if (this.#isOff) break;
        old.push({ offset: change.offset + part.within, bytes });
        await this.#write(part, IoFlag.fua);
      }
    } catch (error) {
      this.#cache.drop(change);
      throw error;
    }
    if (!this.#isOff || !(await this.#isUndone(old))) this.#cache.makeDurable(change);
  }

  /** What a durable write is about to take the place of. Null: it cannot be read. */
  #below({ change, within, length }: CachedPart): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(length);
    return request(this.#lower, this.#environment, Op.read, change.offset + within, length, bytes).then(
      () => bytes,
      () => null,
    );
  }

  /** The power went before a durable write had ended. True: what it took the place of is back, and it counts as one that is cached. */
  async #isUndone(old: readonly Replaced[]): Promise<boolean> {
    if (old.some(({ bytes }) => bytes === null)) return false;
    try {
      for (const { offset, bytes } of old)
        await request(this.#lower, this.#environment, Op.write, offset, bytes!.length, bytes);
      return true;
    } catch {
      return false;
    }
  }

  async #write({ change, within, length }: CachedPart, flags: number): Promise<void> {
    const op = (change.tag & TAG_OP) as Op;
    const data =
      change.content instanceof Uint8Array ? change.content.subarray(within, within + length) : null;
    const offset = change.offset + within;
    await request(
      this.#lower,
      this.#environment,
      op,
      offset,
      length,
      data,
      flags | (change.tag >> TAG_FLAGS),
    );
  }

  /** Of a range that is larger than the memory. */
  async #writeThrough(io: Io): Promise<void> {
    const { op, offset, length, data, dataOffset, flags } = io;
    const bytes = op === Op.write ? data.slice(dataOffset, dataOffset + length) : null;
    await this.#writeBack();
    if (!this.#isOff) await request(this.#lower, this.#environment, op, offset, length, bytes, flags);
  }
}

/** What a durable write takes the place of; null: that could not be read. */
interface Replaced {
  readonly offset: number;
  readonly bytes: Uint8Array | null;
}

// A change's tag: the operation, and above it the flags with which it goes down.
const TAG_OP = 7;
const TAG_FLAGS = 3;

function showCached(io: Io, parts: readonly CachedPart[]): void {
  // A bad spot under what is cached whole does no harm: it will be written over.
  if (io.error?.code === "CEV_MEDIUM" && lengthOf(parts) === io.length) {
    io.error = null;
    io.transferred = io.length;
  }
  if (io.error !== null) return;
  for (const { change, within, length } of parts)
    change.copyTo(io.data, io.dataOffset + change.offset + within - io.offset, within, length);
}

function lengthOf(parts: readonly CachedPart[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** What of a change's parts is not among those that were kept; both in the order of their offsets. */
function without(
  parts: readonly CachedPart[],
  kept: readonly CachedPart[],
): { offset: number; length: number }[] {
  const lost: { offset: number; length: number }[] = [];
  for (const { change, within, length } of parts) {
    let at = within;
    for (const one of kept) {
      if (one.within + one.length <= at || one.within >= within + length) continue;
      if (one.within > at) lost.push({ offset: change.offset + at, length: one.within - at });
      at = one.within + one.length;
    }
    if (at < within + length) lost.push({ offset: change.offset + at, length: within + length - at });
  }
  return lost;
}
