import { FULL_SUPPORT, IoFlag, LayerBase, Op, ioError, plainLimits, refuse, supportOf } from "@cev/core";
import type { CancelTarget, Environment, Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import { runsOfBytes } from "../bytes.ts";
import { Random } from "../random.ts";

/**
 * When a `MemoryLayer` completes a request: before `submit` returns, in a later turn in order of arrival, when the test
 * says so, or at random: at once or later, in any order, with data moved at any time in between.
 */
export type CompletionMode = "atOnce" | "later" | "byHand" | "random";

/** Settings of a `MemoryLayer`. */
export interface MemoryLayerOptions {
  readonly size: number;
  readonly blockSize?: number;
  /** Default "atOnce". Can be changed at any time: `completion`. */
  readonly completion?: CompletionMode;
  /** Of mode "random". Default 1. */
  readonly seed?: number;
  /** A cancelled request that has not completed ends at once (default), or goes on as if nothing had been said. */
  readonly cancel?: "honoured" | "ignored";
  readonly support?: Partial<Support>;
  readonly limits?: Partial<Limits>;
  readonly contents?: Uint8Array;
}

/** One request as it came in. */
export interface RequestRecord {
  readonly op: Op;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
}

interface Pending extends CancelTarget {
  readonly io: Io;
  isMoved: boolean;
}

/** A plain disk in memory whose completions are under the test's control, and which keeps a log of all requests. */
export class MemoryLayer extends LayerBase {
  readonly name = "memory";
  readonly limits: Limits;
  readonly support: Support;
  /** What the disk holds. */
  readonly bytes: Uint8Array;
  /** Every request since the beginning or since the test emptied it. */
  readonly log: RequestRecord[] = [];
  completion: CompletionMode;
  cancelMode: "honoured" | "ignored";
  readonly #environment: Environment;
  readonly #random: Random;
  readonly #pending: Pending[] = [];

  constructor(environment: Environment, options: MemoryLayerOptions) {
    super();
    const blockSize = options.blockSize ?? 512;
    this.limits = plainLimits(options.size, { logicalBlockSize: blockSize, ...options.limits });
    this.support = { ...FULL_SUPPORT, ...options.support };
    this.bytes = new Uint8Array(options.size);
    if (options.contents !== undefined) this.bytes.set(options.contents);
    this.completion = options.completion ?? "atOnce";
    this.cancelMode = options.cancel ?? "honoured";
    this.#environment = environment;
    this.#random = new Random(options.seed ?? 1);
  }

  /** Requests that have not completed, oldest first. */
  get pending(): readonly Io[] {
    return this.#pending.map(({ io }) => io);
  }

  submit(io: Io): void {
    if (!this.#isOffered(io)) return refuse(io, this);
    this.log.push({ op: io.op, flags: io.flags, offset: io.offset, length: io.length });
    if (this.completion === "atOnce" || (this.completion === "random" && this.#random.chance(0.3))) {
      this.#move(io);
      return io.complete();
    }
    const pending: Pending = {
      io,
      isMoved: false,
      onCancel: () => {
        if (this.cancelMode === "honoured") this.#cancel(pending);
      },
    };
    if (this.completion === "random" && io.op !== Op.read && this.#random.chance(0.5)) {
      this.#move(io);
      pending.isMoved = true;
    }
    this.#pending.push(pending);
    io.pushAction(forget, pending);
    if (this.completion !== "byHand") this.#environment.later(() => this.#completeLater());
  }

  /** Completes one of the requests that wait, by its place in `pending`. */
  completeNext(index = 0): void {
    const [pending] = this.#pending.splice(index, 1);
    if (pending === undefined) throw new Error("no request is waiting at this place");
    if (!pending.isMoved) this.#move(pending.io);
    pending.io.complete();
  }

  /** Completes all that wait, oldest first, and those that come in meanwhile. Returns how many. */
  completeAll(): number {
    let count = 0;
    for (; this.#pending.length > 0; count++) this.completeNext();
    return count;
  }

  /** Blocks of zeroes are holes, however they came to be zeroes. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return runsOfBytes(this.bytes, offset, length, { countMax, blockSize: this.limits.logicalBlockSize });
  }

  describe(): LayerDescription {
    return { driver: "memory", options: { size: this.limits.size }, lowers: [] };
  }

  #isOffered(io: Io): boolean {
    const hasFua = (io.flags & IoFlag.fua) !== 0;
    return supportOf(this.support, io.op) !== "none" && !(hasFua && this.support.fua === "none");
  }

  #move(io: Io): void {
    const { offset, length, data, dataOffset } = io;
    if (io.op === Op.read) data.set(this.bytes.subarray(offset, offset + length), dataOffset);
    else if (io.op === Op.write) this.bytes.set(data.subarray(dataOffset, dataOffset + length), offset);
    else if (io.op === Op.writeZeroes) this.bytes.fill(0, offset, offset + length);
    // Whoever counts on what a discarded range holds should notice.
    else if (io.op === Op.discard) this.bytes.fill(0xdd, offset, offset + length);
  }

  #completeLater(): void {
    if (this.#pending.length === 0 || this.completion === "byHand") return;
    this.completeNext(this.completion === "random" ? this.#random.below(this.#pending.length) : 0);
  }

  #cancel(pending: Pending): void {
    const index = this.#pending.indexOf(pending);
    if (index < 0) return;
    this.#pending.splice(index, 1);
    const { io } = pending;
    io.complete(ioError(io, "CEV_CANCELLED", "cancelled while it waited", this.name));
  }
}

// The action only carries the context that hears of a cancel.
function forget(): void {}
