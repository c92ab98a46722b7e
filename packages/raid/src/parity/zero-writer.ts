import { CompoundIoPool, IoFlag, Op, allMustSucceed, refuse } from "@cev/core";
import type { Io, SubmitTarget } from "@cev/core";
import type { ParityEngine } from "./parity-engine.ts";
import { StripeZeroes } from "./stripe-zeroes.ts";

const ZEROES_LENGTH = 65_536;

/**
 * Write-zeroes and discards: whole stripes as zeroes of every member; the rest of a write-zeroes as data, that of a
 * discard not at all.
 */
export class ZeroWriter implements SubmitTarget {
  /** Where whole stripes go, as seen by those who watch. */
  readonly name: string;
  readonly #engine: ParityEngine;
  /** Takes writes within one stripe. */
  readonly #dataWriter: SubmitTarget;
  readonly #parts: CompoundIoPool;
  readonly #free: StripeZeroes[] = [];
  #zeroes: Uint8Array | null = null;

  constructor(engine: ParityEngine, dataWriter: SubmitTarget) {
    this.name = `${engine.name} zeroes`;
    this.#engine = engine;
    this.#dataWriter = dataWriter;
    this.#parts = new CompoundIoPool(engine);
  }

  /** A write-zeroes or discard anywhere in the array. */
  write(io: Io): void {
    const { stripeSize } = this.#engine.map;
    const start = Math.ceil(io.offset / stripeSize) * stripeSize;
    const end = Math.floor((io.offset + io.length) / stripeSize) * stripeSize;
    const isWhole = start === io.offset && end === io.offset + io.length;
    if (isWhole && io.length > 0) return this.submit(io);
    if (io.op === Op.discard) return this.#discard(io, start, end);
    if ((io.flags & IoFlag.fastZero) !== 0) {
      io.fail("CEV_NOT_SUPPORTED", "a part of a stripe cannot be zeroed faster than written", this.name);
      return;
    }
    const compound = this.#parts.over(io, allMustSucceed);
    const flags = io.flags & IoFlag.fua;
    this.#zeroes ??= new Uint8Array(ZEROES_LENGTH);
    for (let at = io.offset; at < io.offset + io.length;) {
      if (at === start && start < end) {
        compound.add(this, Op.writeZeroes, start, end - start, null, 0, io.flags);
        at = end;
        continue;
      }
      const rest = Math.min(this.#engine.map.stripeRest(at), io.offset + io.length - at);
      const length = Math.min(ZEROES_LENGTH, rest);
      compound.add(this.#dataWriter, Op.write, at, length, this.#zeroes, 0, flags);
      at += length;
    }
    compound.submit();
  }

  /** Whole stripes. */
  submit(io: Io): void {
    if (!this.#engine.hasWriteZeroes) return refuse(io, this.#engine);
    (this.#free.pop() ?? new StripeZeroes(this.#engine, this)).start(io);
  }

  /** @internal It has ended, and can be used again. */
  ended(zeroes: StripeZeroes): void {
    this.#free.push(zeroes);
  }

  #discard(io: Io, start: number, end: number): void {
    if (start >= end) {
      io.complete();
      return;
    }
    const compound = this.#parts.over(io, allMustSucceed);
    compound.add(this, Op.discard, start, end - start, null, 0, io.flags);
    compound.submit();
  }
}
