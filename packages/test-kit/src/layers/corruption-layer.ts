import { CompoundIoPool, Io, LayerBase, Op, concatenate, opName, refuse, runAsBelow, runOf } from "@cev/core";
import type { Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import { Random } from "../random.ts";
import { BitFlips } from "./bit-flips.ts";
import type { FlippedBit } from "./bit-flips.ts";
import { OldBlocks } from "./old-blocks.ts";
import { RuleList } from "./request-rule.ts";
import type { RequestRule } from "./request-rule.ts";

/** What goes wrong without a word: the request succeeds. */
export type Corruption =
  /** Bits of the range turn over and stay so until they are written again. */
  | { readonly kind: "bitRot"; readonly bits: number }
  /** Bits of what is read are turned over, this time alone. */
  | { readonly kind: "evilRead"; readonly bits: number }
  /** A write, zeroes or a discard go to another place: `delta` bytes further on, a multiple of the block; within the device. */
  | { readonly kind: "misdirectedWrite"; readonly delta: number }
  /** What lies at another place is read. */
  | { readonly kind: "misdirectedRead"; readonly delta: number }
  /** A write, zeroes or a discard are acknowledged and not done. */
  | { readonly kind: "phantomWrite" }
  /** Only a part of a write of several atomic units is done: the first ones, the last ones, or any; never all. */
  | { readonly kind: "tornWrite"; readonly keep: "prefix" | "suffix" | "random" }
  /** What was there before the last write is read, where that is remembered. */
  | { readonly kind: "staleRead" }
  /** A flush is acknowledged and not passed on. */
  | { readonly kind: "lostFlush" };

/** Which requests, and what goes wrong with them. */
export type CorruptionRule = RequestRule & { readonly corruption: Corruption };

/** One thing that went wrong: what, where, and with which request. */
export interface CorruptionRecord {
  readonly kind: Corruption["kind"];
  /** Of the request, counted from 0 since the layer was made; of rot by hand, that of the request to come. */
  readonly serial: number;
  /** The name of the operation; null: rot by hand. */
  readonly op: string | null;
  /** The range that is wrong now, or that was read wrongly. Bytes. */
  readonly ranges: readonly { readonly offset: number; readonly length: number }[];
  /** The bits that were turned over, of those that name single ones. */
  readonly bits?: readonly FlippedBit[];
}

/** Settings of a `CorruptionLayer`. */
export interface CorruptionOptions {
  /** Default 1. */
  readonly seed?: number;
  /** What is written whole or not at all. Bytes. Default: 512, or the block where that is larger. */
  readonly atomicLength?: number;
  /** How many bytes of what was overwritten are remembered, for stale reads. Default 1 MiB. */
  readonly memoryMax?: number;
  /** What `describe` calls its options, of a driver that made it from those. Default: the settings above. */
  readonly describedAs?: LayerDescription["options"];
}

const RECORDS_MAX = 100_000;

/** Makes data go wrong without an error, by rules that the test sets, and says afterwards what it did. Without rules it passes everything on. */
export class CorruptionLayer extends LayerBase {
  readonly name = "corruption";
  readonly limits: Limits;
  readonly support: Support;
  /** What went wrong so far: the first 100,000. */
  readonly corruptions: CorruptionRecord[] = [];
  /** How often something went wrong. */
  corruptionCount = 0;
  /** How many requests have come in. */
  requestCount = 0;
  readonly #lower: Layer;
  readonly #random: Random;
  readonly #seed: number;
  readonly #atomicLength: number;
  readonly #rules: RuleList<CorruptionRule>;
  readonly #rot = new BitFlips();
  readonly #old: OldBlocks;
  readonly #pool: CompoundIoPool;
  readonly #describedAs: LayerDescription["options"] | null;
  #remembersOld = false;

  constructor(lower: Layer, options: CorruptionOptions = {}) {
    super([lower]);
    const { logicalBlockSize } = lower.limits;
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#seed = options.seed ?? 1;
    this.#random = new Random(this.#seed);
    this.#atomicLength = options.atomicLength ?? Math.max(512, logicalBlockSize);
    this.#rules = new RuleList(this.#random);
    this.#old = new OldBlocks(logicalBlockSize, options.memoryMax ?? 1024 * 1024);
    this.#pool = new CompoundIoPool(this);
    this.#describedAs = options.describedAs ?? null;
  }

  /** Adds a rule; the first that fits a request decides. A rule catches only requests that its corruption can happen to. */
  add(rule: CorruptionRule): void {
    this.#rules.add(rule);
    this.#remembersOld ||= rule.corruption.kind === "staleRead";
  }

  /** Takes all rules back. What has rotted stays so. */
  clear(): void {
    this.#rules.clear();
    this.#remembersOld = false;
    this.#old.clear();
  }

  /** Turns over this many bits of a range, from now until they are written again. */
  rot(offset: number, length: number, bits = 1): void {
    this.#note("bitRot", null, { offset, length }, this.#rot.add({ offset, length, bits }, this.#random));
  }

  submit(io: Io): void {
    const serial = this.requestCount++;
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.flush:
      case Op.discard:
      case Op.writeZeroes:
        break;
      default:
        return refuse(io, this);
    }
    const rule = this.#rules.find(io, this.#canCatch);
    if (this.#remembersOld && isChange(io)) return this.#remember(io, serial, rule);
    this.#pass(io, serial, rule);
  }

  /** What lies below is no promise of what is read here once something may go wrong with it. */
  runs(offset: number, length: number): readonly Run[] {
    const isSound = this.#rot.isEmpty && this.#rules.rules.length === 0;
    return isSound ? runAsBelow(this.#lower, offset, length) : runOf("data", length);
  }

  describe(): LayerDescription {
    const { memoryMax } = this.#old;
    const options = this.#describedAs ?? { seed: this.#seed, atomicLength: this.#atomicLength, memoryMax };
    return { driver: "@cev/test-kit/corruption", options, lowers: [this.#lower.describe()] };
  }

  /** @internal The request is through below. */
  ended(io: Io, passing: Passing): void {
    const { offset, corruption, serial } = passing;
    const place = { offset, length: io.length };
    // Bits are turned over where data lies: a misdirected read shows those of the other place.
    const { offset: placeBelow } = io;
    io.offset = offset;
    if (io.error !== null) return;
    if (isChange(io)) this.#rot.clear(placeBelow, io.length);
    if (corruption?.kind === "bitRot")
      this.#note(
        "bitRot",
        io,
        place,
        this.#rot.add({ ...place, bits: corruption.bits }, this.#random),
        serial,
      );
    if (io.op === Op.read) this.#corruptRead(io, placeBelow, passing);
    else if (corruption?.kind === "misdirectedWrite")
      this.#noteRanges(corruption.kind, io, serial, [place, { ...place, offset: placeBelow }]);
  }

  readonly #canCatch = (rule: CorruptionRule, io: Io): boolean => {
    const { corruption } = rule;
    switch (corruption.kind) {
      case "bitRot":
        return io.op === Op.read || isChange(io);
      case "evilRead":
        return io.op === Op.read;
      case "staleRead":
        return io.op === Op.read && this.#old.knows(io.offset, io.length);
      case "misdirectedRead":
        return io.op === Op.read && this.#placeOf(io, corruption.delta) !== io.offset;
      case "misdirectedWrite":
        return isChange(io) && this.#placeOf(io, corruption.delta) !== io.offset;
      case "phantomWrite":
        return isChange(io);
      case "tornWrite":
        return (io.op === Op.write || io.op === Op.writeZeroes) && this.#unitsOf(io).length > 2;
      case "lostFlush":
        return io.op === Op.flush;
    }
  };

  #pass(io: Io, serial: number, rule: CorruptionRule | null): void {
    const corruption = rule?.corruption ?? null;
    const place = { offset: io.offset, length: io.length };
    switch (corruption?.kind) {
      case "phantomWrite":
      case "lostFlush":
        this.#noteRanges(corruption.kind, io, serial, io.op === Op.flush ? [] : [place]);
        return io.complete();
      case "tornWrite":
        return this.#tear(io, serial, corruption.keep);
      case "misdirectedRead":
      case "misdirectedWrite":
        io.pushAction(ended, { layer: this, offset: io.offset, corruption, serial });
        io.offset = this.#placeOf(io, corruption.delta);
        break;
      default:
        io.pushAction(ended, { layer: this, offset: io.offset, corruption, serial });
    }
    this.#lower.submit(io);
  }

  /** Where a request goes that is meant for its own place; that place itself where the device has no room in either direction. */
  #placeOf(io: Io, delta: number): number {
    const isInside = (offset: number): boolean => offset >= 0 && offset + io.length <= this.limits.size;
    return [io.offset + delta, io.offset - delta].find(isInside) ?? io.offset;
  }

  #corruptRead(io: Io, placeBelow: number, { corruption, serial }: Passing): void {
    const place = { offset: io.offset, length: io.length };
    this.#rot.apply(placeBelow, io.data, io.dataOffset, io.length);
    switch (corruption?.kind) {
      case "evilRead": {
        const flips = new BitFlips();
        const bits = flips.add({ ...place, bits: corruption.bits }, this.#random);
        flips.apply(io.offset, io.data, io.dataOffset, io.length);
        return this.#note("evilRead", io, place, bits, serial);
      }
      case "misdirectedRead":
        return this.#noteRanges("misdirectedRead", io, serial, [place]);
      case "staleRead":
        return this.#noteRanges("staleRead", io, serial, this.#old.show(io));
    }
  }

  /** Offsets within the request at which its atomic units begin, and its length. */
  #unitsOf(io: Io): number[] {
    const bounds = [0];
    const first = this.#atomicLength - (io.offset % this.#atomicLength);
    for (let at = first; at < io.length; at += this.#atomicLength) bounds.push(at);
    return [...bounds, io.length];
  }

  #tear(io: Io, serial: number, keep: "prefix" | "suffix" | "random"): void {
    const bounds = this.#unitsOf(io);
    const count = bounds.length - 1;
    const cut = this.#random.between(1, count - 1);
    const isKept = Array.from({ length: count }, (_, index) =>
      keep === "prefix" ? index < cut : keep === "suffix" ? index >= cut : this.#random.chance(0.5),
    );
    // All of them would be a write that was done.
    if (!isKept.includes(false)) isKept[this.#random.below(count)] = false;
    const lost: { offset: number; length: number }[] = [];
    const compound = this.#pool.over(io, concatenate);
    for (let index = 0; index < count; index++) {
      const within = bounds[index]!;
      const length = bounds[index + 1]! - within;
      if (isKept[index] === true) {
        const sub = compound.add(
          this.#lower,
          io.op,
          io.offset + within,
          length,
          io.data,
          io.dataOffset + within,
          io.flags,
        );
        sub.io.pushAction(partEnded, this.#rot);
      } else lost.push({ offset: io.offset + within, length });
    }
    this.#noteRanges("tornWrite", io, serial, lost);
    compound.submit();
  }

  /** Reads what a change is about to overwrite, and goes on. */
  #remember(io: Io, serial: number, rule: CorruptionRule | null): void {
    const { offset, length } = io;
    const data = new Uint8Array(length);
    const read = new Io(io.runQueue).prepare(Op.read, offset, length, data);
    read.wait(() => {
      if (read.error === null) this.#old.remember(offset, data);
      else this.#old.forget(offset, length);
      this.#pass(io, serial, rule);
    }, null);
    this.#lower.submit(read);
  }

  #note(
    kind: Corruption["kind"],
    io: Io | null,
    place: { readonly offset: number; readonly length: number },
    bits: readonly FlippedBit[],
    serial: number = this.requestCount,
  ): void {
    this.corruptionCount++;
    const op = io === null ? null : opName(io.op);
    if (this.corruptions.length < RECORDS_MAX)
      this.corruptions.push({ kind, serial, op, ranges: [place], bits });
  }

  #noteRanges(kind: Corruption["kind"], io: Io, serial: number, ranges: CorruptionRecord["ranges"]): void {
    this.corruptionCount++;
    if (this.corruptions.length < RECORDS_MAX)
      this.corruptions.push({ kind, serial, op: opName(io.op), ranges });
  }
}

/** A request below. */
interface Passing {
  readonly layer: CorruptionLayer;
  /** Where it was meant for. */
  readonly offset: number;
  readonly corruption: Corruption | null;
  readonly serial: number;
}

function ended(io: Io, passing: Passing): void {
  passing.layer.ended(io, passing);
}

function partEnded(io: Io, rot: BitFlips): void {
  if (io.error === null) rot.clear(io.offset, io.length);
}

function isChange(io: Io): boolean {
  return io.op === Op.write || io.op === Op.writeZeroes || io.op === Op.discard;
}
