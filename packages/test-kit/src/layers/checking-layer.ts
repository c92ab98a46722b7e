import { ERROR_CODES, EventState, IoFlag, LayerBase, Op, isCevError, opName, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import { hashOf } from "../bytes.ts";

// Of a long write without thorough checks: that many bytes of its beginning and of its end are compared.
const GLANCED = 64;
const KNOWN_FLAGS = IoFlag.fua | IoFlag.noHole | IoFlag.fastZero;

/** What an `Io` looked like on its way down. */
interface Passing {
  readonly layer: CheckingLayer;
  readonly op: Op;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  readonly data: Uint8Array;
  readonly dataOffset: number;
  readonly hash: number;
  readonly generation: number;
}

/** Settings of a `CheckingLayer`. */
export interface CheckingLayerOptions {
  /** All data of a write is looked at for changes (default), or its beginning and end alone, which costs less. */
  readonly isThorough?: boolean;
}

/**
 * Stands between two layers and holds both to the contract: what comes down is a request that the lower layer must take,
 * and what comes up is the same request with a valid outcome, its write data unaltered. A request that breaks the
 * contract fails here.
 * Breaches are kept in `violations`; `check` throws them.
 */
export class CheckingLayer extends LayerBase {
  readonly name: string = "checking";
  readonly limits: Limits;
  readonly support: Support;
  readonly violations: string[] = [];
  inFlightCount = 0;
  readonly #lower: Layer;
  readonly #isThorough: boolean;
  #isClosed = false;

  constructor(lower: Layer, { isThorough = true }: CheckingLayerOptions = {}) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#isThorough = isThorough;
  }

  override async open(): Promise<void> {
    await super.open();
    this.#isClosed = false;
  }

  submit(io: Io): void {
    if (io.state !== EventState.pending) return this.violate(io, "was submitted although it is not pending");
    if (this.#isClosed) this.violate(io, "was submitted to a layer that is closed");
    // An unknown operation may come from a test above; it must be refused below.
    const violationCount = this.violations.length;
    if (io.op <= Op.writeZeroes) this.#checkRequest(io);
    if (this.violations.length > violationCount)
      return io.fail("CEV_INVALID", `the contract is broken: ${this.violations.at(-1)}`, this.name);
    this.inFlightCount++;
    const { op, flags, offset, length, data, dataOffset, generation } = io;
    const hash = op === Op.write ? this.#hashOf(data, dataOffset, length) : 0;
    const passing: Passing = { layer: this, op, flags, offset, length, data, dataOffset, hash, generation };
    io.pushAction(checkReturn, passing);
    this.#lower.submit(io);
  }

  override async close(): Promise<void> {
    if (this.inFlightCount > 0)
      this.violations.push(`closed while ${this.inFlightCount} requests are under way`);
    this.#isClosed = true;
    await super.close();
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: "checking", options: {}, lowers: [this.#lower.describe()] };
  }

  /** Throws when the contract was broken, by either side. */
  check(): void {
    if (this.violations.length > 0)
      throw new Error(`the layer contract was broken: ${this.violations.join("; ")}`);
  }

  /** @internal */
  violate(io: Io, what: string): void {
    this.violations.push(`${opName(io.op)} of ${io.length} bytes at ${io.offset} ${what}`);
  }

  /** @internal */
  checkReturn(io: Io, sent: Passing): void {
    this.inFlightCount--;
    if (io.generation !== sent.generation) return this.violate(io, "was recycled while it was under way");
    for (const key of ["op", "flags", "offset", "length", "data", "dataOffset"] as const)
      if (io[key] !== sent[key]) this.violate(io, `came back with another ${key}`);
    if (sent.op === Op.write && this.#hashOf(sent.data, sent.dataOffset, sent.length) !== sent.hash)
      this.violate(io, "came back with its data altered");
    this.#checkOutcome(io);
  }

  #hashOf(data: Uint8Array, offset: number, length: number): number {
    if (this.#isThorough || length <= 2 * GLANCED) return hashOf(data, offset, length);
    return hashOf(data, offset, GLANCED) ^ hashOf(data, offset + length - GLANCED, GLANCED);
  }

  #checkRequest(io: Io): void {
    const { op, flags, offset, length } = io;
    if ((flags & ~KNOWN_FLAGS) !== 0) this.violate(io, `carries unknown flags ${flags}`);
    if ((flags & IoFlag.fua) !== 0 && this.support.fua === "none")
      this.violate(io, "carries FUA, which is not offered here");
    if (op === Op.flush) return;
    const { size, logicalBlockSize, ioLengthMax } = this.limits;
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length <= 0)
      return this.violate(io, "has no valid range");
    if (offset % logicalBlockSize !== 0 || length % logicalBlockSize !== 0)
      this.violate(io, `is not aligned to blocks of ${logicalBlockSize}`);
    if (offset + length > size) this.violate(io, `passes the end at ${size}`);
    if (length > ioLengthMax) this.violate(io, `is longer than ${ioLengthMax}`);
    if (op <= Op.write && io.data.length < io.dataOffset + length)
      this.violate(io, "has less memory than it asks for");
  }

  #checkOutcome(io: Io): void {
    const { error, transferred, length } = io;
    if (error === null) {
      // Nothing is transferred by a flush.
      if (transferred !== length) this.violate(io, `succeeded with ${transferred} bytes transferred`);
      return;
    }
    if (!(transferred >= 0 && transferred <= length))
      this.violate(io, `failed with ${transferred} bytes transferred`);
    if (!isCevError(error) || !(error.code in ERROR_CODES))
      this.violate(io, "failed with an error without a code");
    else if (error.code === "CEV_CANCELLED" && !io.isCancelRequested)
      this.violate(io, "was cancelled although nobody asked for it");
    else if (error.code === "CEV_PROGRAM") this.violate(io, `met a bug: ${error.message}`);
  }
}

function checkReturn(io: Io, sent: Passing): void {
  sent.layer.checkReturn(io, sent);
}
