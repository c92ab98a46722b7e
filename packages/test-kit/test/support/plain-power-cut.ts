import { FULL_SUPPORT, IoFlag, LayerBase, Op, ioError, plainLimits, refuse, supportOf } from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import { runsOfBytes } from "../../src/bytes.ts";
import type { Random } from "../../src/random.ts";

import type { PowerCutOptions } from "../../src/index.ts";

/** A change that may or may not be on the disk when the power goes. */
interface Unflushed {
  /** Which write it came with: what is left of it after others were made durable is still of that write. */
  readonly order: number;
  readonly offset: number;
  readonly data: Uint8Array;
  isCompleted: boolean;
}

/**
 * The same as `PowerCutLayer`, by plain lists: slow, and easy to check by eye.
 * A disk with a volatile cache. Reads see every write; a power cut loses whatever was not made durable by a flush that
 * began after the write had completed, or by FUA: of each sector it keeps the durable contents or any later one, so
 * writes are lost, reordered and torn. What remains depends on the random numbers alone.
 */
export class PlainPowerCut extends LayerBase {
  readonly name = "power-cut";
  readonly limits: Limits;
  readonly support: Support;
  /** How often the power went. */
  cutCount = 0;
  readonly #environment: Environment;
  /** What is written whole or not at all. Bytes. */
  atomicLength: number;
  readonly #durable: Uint8Array;
  readonly #cached: Uint8Array;
  readonly #completion: "atOnce" | "later";
  #unflushed: Unflushed[] = [];
  #order = 0;
  #underWay = new Set<Io>();

  constructor(environment: Environment, options: PowerCutOptions) {
    super();
    this.limits = plainLimits(options.size, { logicalBlockSize: options.blockSize ?? 512 });
    this.support = { ...FULL_SUPPORT, ...options.support };
    this.#environment = environment;
    this.atomicLength = options.atomicLength ?? 512;
    this.#completion = options.completion ?? "atOnce";
    this.#durable = new Uint8Array(options.size);
    if (options.contents !== undefined) this.#durable.set(options.contents);
    this.#cached = this.#durable.slice();
  }

  /** How many writes a power cut could lose. */
  get unflushedCount(): number {
    return this.#unflushed.length;
  }

  /** A copy of what reads see. */
  get contents(): Uint8Array {
    return this.#cached.slice();
  }

  submit(io: Io): void {
    const hasFua = (io.flags & IoFlag.fua) !== 0;
    if (supportOf(this.support, io.op) === "none" || (hasFua && this.support.fua === "none"))
      return refuse(io, this);
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
  imageAfterCut(random: Random): Uint8Array {
    const image = this.#durable.slice();
    // Each sector keeps the durable contents, or what one of the writes put there: any of them, in any order.
    const chosen = new Map<number, Unflushed | null>();
    for (const change of this.#unflushed) {
      for (let at = change.offset; at < change.offset + change.data.length; at += this.atomicLength) {
        const earlier = chosen.get(at);
        if (earlier === undefined) chosen.set(at, random.chance(0.5) ? change : null);
        else if (random.chance(0.5)) chosen.set(at, change);
      }
    }
    for (const [at, change] of chosen) {
      if (change === null) continue;
      const within = at - change.offset;
      image.set(change.data.subarray(within, within + this.atomicLength), at);
    }
    return image;
  }

  /** The power goes: requests under way fail with `CEV_DEVICE_LOST`, and the disk comes back with what is left. */
  cut(random: Random): void {
    this.cutCount++;
    const image = this.imageAfterCut(random);
    this.#durable.set(image);
    this.#cached.set(image);
    this.#unflushed = [];
    const underWay = [...this.#underWay];
    this.#underWay = new Set();
    for (const io of underWay) io.complete(ioError(io, "CEV_DEVICE_LOST", "the power went", this.name));
  }

  /** Blocks of zeroes are holes, however they came to be zeroes. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return runsOfBytes(this.#cached, offset, length, { countMax, blockSize: this.limits.logicalBlockSize });
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
        const covered = new Set(
          this.#unflushed.filter((change) => change.isCompleted).map(({ order }) => order),
        );
        return () => this.#makeDurable(covered);
      }
      default:
        return () => data.set(this.#cached.subarray(offset, offset + length), dataOffset);
    }
  }

  #change(offset: number, data: Uint8Array, isDurable: boolean): () => void {
    const order = this.#order++;
    this.#unflushed.push({ order, offset, data, isCompleted: false });
    this.#cached.set(data, offset);
    return () => {
      for (const change of this.#unflushed) if (change.order === order) change.isCompleted = true;
      if (isDurable) this.#makeDurable(new Set([order]));
    };
  }

  /** These changes are on the disk, and with them, sector by sector, no older state can come back. */
  #makeDurable(orders: ReadonlySet<number>): void {
    for (const change of this.#unflushed)
      if (orders.has(change.order)) this.#durable.set(change.data, change.offset);
    const ends = new Map<number, number>();
    this.#unflushed.forEach((change, index) => {
      if (!orders.has(change.order)) return;
      for (let at = change.offset; at < change.offset + change.data.length; at += this.atomicLength)
        ends.set(at, index);
    });
    this.#unflushed = this.#unflushed.flatMap((change, index) =>
      orders.has(change.order) ? [] : this.#laterParts(change, index, ends),
    );
  }

  /** The parts of a change that a durable one has not overwritten. */
  #laterParts(change: Unflushed, index: number, ends: ReadonlyMap<number, number>): Unflushed[] {
    const isOver = (at: number): boolean => (ends.get(at) ?? -1) > index;
    let hasOver = false;
    for (let at = change.offset; at < change.offset + change.data.length; at += this.atomicLength)
      hasOver ||= isOver(at);
    if (!hasOver) return [change];
    const parts: Unflushed[] = [];
    for (let within = 0; within < change.data.length; within += this.atomicLength) {
      if (isOver(change.offset + within)) continue;
      const data = change.data.subarray(within, within + this.atomicLength);
      parts.push({ ...change, offset: change.offset + within, data });
    }
    return parts;
  }
}
