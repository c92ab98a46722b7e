import { LayerBase, Op, ioError, refuse, runAsBelow } from "@cev/core";
import type {
  Environment,
  ErrorCode,
  Io,
  Layer,
  LayerDescription,
  Limits,
  Run,
  Support,
  Timer,
} from "@cev/core";
import { Random } from "../random.ts";
import { HeldRequest } from "./held-request.ts";
import { RuleList } from "./request-rule.ts";
import type { RequestRule } from "./request-rule.ts";

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

/** Which requests, and what becomes of them. */
export interface FaultRule extends RequestRule {
  readonly fault: Fault;
}

/** Settings of a `FaultLayer`. */
export interface FaultLayerOptions {
  /** Of the rules with a probability. Default 1. */
  readonly seed?: number;
  /** What `describe` calls its options, of a driver that made it from those. Default: the seed. */
  readonly describedAs?: LayerDescription["options"];
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
  readonly #describedAs: LayerDescription["options"];
  readonly #rules: RuleList<FaultRule>;
  readonly #badRanges: { offset: number; end: number }[] = [];
  readonly #hanging = new Set<HeldRequest>();
  readonly #delayed = new Map<HeldRequest, Timer>();
  #isLost = false;

  constructor(lower: Layer, environment: Environment, options: FaultLayerOptions = {}) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#environment = environment;
    const { seed = 1 } = options;
    this.#describedAs = options.describedAs ?? { seed };
    this.#rules = new RuleList(new Random(seed));
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
    const rule = this.#rules.find(io);
    if (rule !== null) {
      this.faultCount++;
      return this.#apply(rule.fault, io);
    }
    if (io.op === Op.read && this.#isBad(io)) {
      this.faultCount++;
      return this.#fail(io, "CEV_MEDIUM");
    }
    this.#pass(io);
  }

  /** Adds a rule; the first that fits a request decides. */
  add(rule: FaultRule): void {
    this.#rules.add(rule);
  }

  /** Fails the `count`-th request from now on (1: the next), and no other. */
  failNth(count: number, code: ErrorCode = "CEV_IO"): void {
    this.add({ fault: { kind: "error", code }, skipCount: count - 1, countMax: 1 });
  }

  /** Reads that touch the range fail with `CEV_MEDIUM`, until it has been written: a bad spot. */
  addBadRange(offset: number, length: number): void {
    this.#badRanges.push({ offset, end: offset + length });
  }

  /** From now on every request fails with `CEV_DEVICE_LOST`; those that hang or are delayed too. */
  lose(): void {
    this.#isLost = true;
    for (const held of [...this.#hanging, ...this.#delayed.keys()])
      held.end("CEV_DEVICE_LOST", "the device was lost while it was kept back");
  }

  /** The device is back. */
  find(): void {
    this.#isLost = false;
  }

  /** Passes on all that hang. */
  release(): void {
    const hanging = [...this.#hanging];
    this.#hanging.clear();
    for (const held of hanging) {
      const io = held.take();
      if (io !== null) this.#pass(io);
    }
  }

  /** Takes all rules and bad ranges back, and lets go what hangs. */
  reset(): void {
    this.#rules.clear();
    this.#badRanges.length = 0;
    this.#isLost = false;
    this.release();
  }

  /** Also of a device that is lost or has bad spots: who does not count on it any more must not ask it. */
  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: "@cev/test-kit/fault", options: this.#describedAs, lowers: [this.#lower.describe()] };
  }

  /** @internal */
  dropped(held: HeldRequest): void {
    this.#hanging.delete(held);
    this.#delayed.get(held)?.cancel();
    this.#delayed.delete(held);
  }

  #pass(io: Io): void {
    if (this.#badRanges.length > 0 && (io.op === Op.write || io.op === Op.writeZeroes)) this.#heal(io);
    this.#lower.submit(io);
  }

  #apply(fault: Fault, io: Io): void {
    switch (fault.kind) {
      case "error":
        return this.#fail(io, fault.code);
      case "errorAfter":
        io.pushAction(failAfter, fault.code);
        return this.#pass(io);
      case "half":
        return this.#half(io, fault.code);
      case "delay":
        return this.#delay(new HeldRequest(io, this), fault.delayMs);
      case "hang": {
        const held = new HeldRequest(io, this);
        this.#hanging.add(held);
        return held.begin();
      }
    }
  }

  #delay(held: HeldRequest, delayMs: number): void {
    const timer = this.#environment.clock.after(delayMs, () => {
      this.#delayed.delete(held);
      const io = held.take();
      if (io !== null) this.#pass(io);
    });
    this.#delayed.set(held, timer);
    held.begin();
  }

  #half(io: Io, code: ErrorCode): void {
    const { logicalBlockSize } = this.limits;
    const half = io.length / 2 - ((io.length / 2) % logicalBlockSize);
    if (half === 0) return this.#fail(io, code);
    io.pushAction(failHalf, { code, length: io.length });
    io.length = half;
    this.#pass(io);
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

function failAfter(io: Io, code: ErrorCode): void {
  io.error ??= ioError(io, code, "made to fail after it was done", "fault");
  io.transferred = 0;
}

function failHalf(io: Io, { code, length }: { code: ErrorCode; length: number }): void {
  io.length = length;
  io.error ??= ioError(io, code, "made to fail half-way", "fault");
}
