import { EventState, LayerBase, Op, ioError, refuse, runAsBelow } from "@cev/core";
import type {
  CancelTarget,
  Environment,
  ErrorCode,
  Io,
  Layer,
  LayerDescription,
  Limits,
  Run,
  Support,
} from "@cev/core";
import { Random } from "../random.ts";

/** What becomes of a request that a rule catches. */
export type Fault =
  /** It fails, and the layer below never sees it. */
  | { readonly kind: "error"; readonly code: ErrorCode }
  /** It is done below, and then fails all the same. */
  | { readonly kind: "errorAfter"; readonly code: ErrorCode }
  /** The first half of it is done below (whole blocks), then it fails. */
  | { readonly kind: "half"; readonly code: ErrorCode }
  /** It is passed on only after this time. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** It stays here until `release`. */
  | { readonly kind: "hang" };

/** Which requests, and what becomes of them. A request must fit all that is given. */
export interface FaultRule {
  readonly fault: Fault;
  readonly op?: Op;
  /** Only requests that touch this range. */
  readonly offset?: number;
  readonly length?: number;
  /** How many requests that fit are let through first. Default 0. */
  readonly skipCount?: number;
  /** After how many it is used up. Default: never. */
  readonly countMax?: number;
  /** Of each request that fits. Default 1. */
  readonly probability?: number;
  /** A last question, put to the request itself. */
  readonly accepts?: (io: Io) => boolean;
}

interface ActiveRule extends FaultRule {
  seenCount: number;
  usedCount: number;
}

/** Makes requests fail, by rules that the test sets. Without rules it passes everything on. */
export class FaultLayer extends LayerBase {
  readonly name = "fault";
  readonly limits: Limits;
  readonly support: Support;
  /** How many requests have come in. */
  requestCount = 0;
  /** How many of them were made to fail, wait or hang. */
  faultCount = 0;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #random: Random;
  #rules: ActiveRule[] = [];
  readonly #badRanges: { offset: number; end: number }[] = [];
  readonly #hanging = new Set<Hanging>();
  #isLost = false;

  constructor(lower: Layer, environment: Environment, options: { readonly seed?: number } = {}) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#environment = environment;
    this.#random = new Random(options.seed ?? 1);
  }

  /** How many requests hang. */
  get hangingCount(): number {
    return this.#hanging.size;
  }

  submit(io: Io): void {
    this.requestCount++;
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
    if (this.#isLost) return this.#fail(io, "CEV_DEVICE_LOST");
    const rule = this.#rules.find((one) => this.#catches(one, io));
    if (rule !== undefined) {
      this.faultCount++;
      return this.#apply(rule.fault, io);
    }
    if (io.op === Op.read && this.#isBad(io)) {
      this.faultCount++;
      return this.#fail(io, "CEV_MEDIUM");
    }
    this.pass(io);
  }

  /** Adds a rule; the first that fits a request decides. */
  add(rule: FaultRule): void {
    this.#rules.push({ ...rule, seenCount: 0, usedCount: 0 });
  }

  /** Fails the `count`-th request from now on (1: the next), and no other. */
  failNth(count: number, code: ErrorCode = "CEV_IO"): void {
    this.add({ fault: { kind: "error", code }, skipCount: count - 1, countMax: 1 });
  }

  /** Reads that touch the range fail with `CEV_MEDIUM`, until it has been written: a bad spot. */
  addBadRange(offset: number, length: number): void {
    this.#badRanges.push({ offset, end: offset + length });
  }

  /** From now on every request fails with `CEV_DEVICE_LOST`; those that hang too. */
  lose(): void {
    this.#isLost = true;
    for (const hanging of [...this.#hanging]) hanging.end("CEV_DEVICE_LOST");
  }

  /** The device is back. */
  find(): void {
    this.#isLost = false;
  }

  /** Passes on all that hang. */
  release(): void {
    for (const hanging of [...this.#hanging]) hanging.release();
  }

  /** Takes all rules and bad ranges back, and lets go what hangs. */
  reset(): void {
    this.#rules = [];
    this.#badRanges.length = 0;
    this.#isLost = false;
    this.release();
  }

  /** Also of a device that is lost or has bad spots: who does not count on it any more must not ask it. */
  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: "fault", options: {}, lowers: [this.#lower.describe()] };
  }

  /** @internal */
  pass(io: Io): void {
    if (this.#badRanges.length > 0 && (io.op === Op.write || io.op === Op.writeZeroes)) this.#heal(io);
    this.#lower.submit(io);
  }

  #catches(rule: ActiveRule, io: Io): boolean {
    if (rule.op !== undefined && rule.op !== io.op) return false;
    if (rule.offset !== undefined) {
      const end = rule.offset + (rule.length ?? 1);
      if (io.op === Op.flush || io.offset >= end || io.offset + io.length <= rule.offset) return false;
    }
    if (rule.usedCount >= (rule.countMax ?? Infinity) || rule.accepts?.(io) === false) return false;
    if (rule.seenCount++ < (rule.skipCount ?? 0)) return false;
    if (rule.probability !== undefined && !this.#random.chance(rule.probability)) return false;
    rule.usedCount++;
    return true;
  }

  #apply(fault: Fault, io: Io): void {
    switch (fault.kind) {
      case "error":
        return this.#fail(io, fault.code);
      case "errorAfter":
        io.pushAction(failAfter, fault.code);
        return this.pass(io);
      case "half":
        return this.#half(io, fault.code);
      case "delay":
        this.#environment.clock.after(fault.delayMs, () => this.pass(io));
        return;
      case "hang": {
        const hanging = new Hanging(this, this.#hanging, io);
        this.#hanging.add(hanging);
        io.pushAction(leaveHanging, hanging);
        return;
      }
    }
  }

  #half(io: Io, code: ErrorCode): void {
    const { logicalBlockSize } = this.limits;
    const half = io.length / 2 - ((io.length / 2) % logicalBlockSize);
    if (half === 0) return this.#fail(io, code);
    io.pushAction(failHalf, { code, length: io.length });
    io.length = half;
    this.pass(io);
  }

  #fail(io: Io, code: ErrorCode): void {
    io.complete(ioError(io, code, "made to fail", this.name));
  }

  #isBad(io: Io): boolean {
    return this.#badRanges.some(({ offset, end }) => io.offset < end && io.offset + io.length > offset);
  }

  /** What was written over a bad spot can be read again. */
  #heal(io: Io): void {
    const start = io.offset;
    const end = start + io.length;
    for (const range of this.#badRanges.splice(0)) {
      if (range.offset < start)
        this.#badRanges.push({ offset: range.offset, end: Math.min(range.end, start) });
      if (range.end > end) this.#badRanges.push({ offset: Math.max(range.offset, end), end: range.end });
    }
  }
}

/** A request that hangs until it is let go, the device is lost, or it is cancelled. */
class Hanging implements CancelTarget {
  readonly #layer: FaultLayer;
  readonly #all: Set<Hanging>;
  readonly #io: Io;

  constructor(layer: FaultLayer, all: Set<Hanging>, io: Io) {
    this.#layer = layer;
    this.#all = all;
    this.#io = io;
  }

  release(): void {
    if (this.#all.delete(this)) this.#layer.pass(this.#io);
  }

  end(code: ErrorCode): void {
    const io = this.#io;
    if (!this.#all.delete(this) || io.state !== EventState.pending) return;
    io.complete(ioError(io, code, "ended while it hung", this.#layer.name));
  }

  onCancel(): void {
    this.end("CEV_CANCELLED");
  }
}

function leaveHanging(_io: Io, hanging: Hanging): void {
  hanging.end("CEV_IO");
}

function failAfter(io: Io, code: ErrorCode): void {
  io.error ??= ioError(io, code, "made to fail after it was done", "fault");
  io.transferred = 0;
}

function failHalf(io: Io, { code, length }: { code: ErrorCode; length: number }): void {
  io.length = length;
  io.error ??= ioError(io, code, "made to fail half-way", "fault");
}
