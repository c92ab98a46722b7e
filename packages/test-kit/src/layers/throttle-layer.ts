import { LayerBase, Op, refuse, runAsBelow } from "@cev/core";
import type { Environment, Io, Layer, LayerDescription, Limits, Run, Support, Timer } from "@cev/core";
import { Random } from "../random.ts";
import { HeldRequest } from "./held-request.ts";

/** How fast requests may go. What is left out is not limited. */
export interface ThrottleLimits {
  /** Of reads and writes; flushes, discards and zeroes move no bytes. */
  readonly bytesPerSecond?: number;
  readonly requestsPerSecond?: number;
  /** What was not used of this time may be made up for in one go. Milliseconds. Default 0. */
  readonly burstMs?: number;
  /** Every request begins so much later. Milliseconds. Default 0. */
  readonly latencyMs?: number;
  /** And at random up to so much more: then requests overtake one another. Milliseconds. Default 0. */
  readonly jitterMs?: number;
}

/** Settings of a `ThrottleLayer`. */
export interface ThrottleOptions extends ThrottleLimits {
  readonly environment: Environment;
  /** Of the jitter. Default 1. */
  readonly seed?: number;
}

/** Makes a device slow: requests wait here, in their order, until it is their turn. */
export class ThrottleLayer extends LayerBase {
  readonly name = "throttle";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #seed: number;
  readonly #random: Random;
  readonly #waiting = new Map<HeldRequest, Timer>();
  #throttle: ThrottleLimits;
  // When the next request may begin, by the clock.
  #freeAt = -Infinity;

  constructor(lower: Layer, options: ThrottleOptions) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    const { environment, seed, ...throttle } = options;
    this.#environment = environment;
    this.#seed = seed ?? 1;
    this.#random = new Random(this.#seed);
    this.#throttle = throttle;
  }

  /** How many requests wait. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Other limits, for requests that come from now on. */
  set(limits: ThrottleLimits): void {
    this.#throttle = limits;
  }

  submit(io: Io): void {
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
    const delayMs = this.#delayOf(io);
    if (delayMs <= 0) return this.#lower.submit(io);
    const held = new HeldRequest(io, this);
    this.#waiting.set(
      held,
      this.#environment.clock.after(delayMs, () => this.#letGo(held)),
    );
    held.begin();
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    const options = { ...this.#throttle, seed: this.#seed };
    return { driver: "@cev/test-kit/throttle", options, lowers: [this.#lower.describe()] };
  }

  /** @internal */
  dropped(held: HeldRequest): void {
    this.#waiting.get(held)?.cancel();
    this.#waiting.delete(held);
  }

  /** The request takes its share of the time to come. */
  #delayOf(io: Io): number {
    const { bytesPerSecond, requestsPerSecond, burstMs = 0, latencyMs = 0, jitterMs = 0 } = this.#throttle;
    const now = this.#environment.clock.now();
    const byteCount = io.op === Op.read || io.op === Op.write ? io.length : 0;
    const costMs = Math.max(
      bytesPerSecond === undefined ? 0 : (byteCount * 1000) / bytesPerSecond,
      requestsPerSecond === undefined ? 0 : 1000 / requestsPerSecond,
    );
    const startsAt = Math.max(this.#freeAt, now - burstMs);
    this.#freeAt = startsAt + costMs;
    const jitter = jitterMs === 0 ? 0 : (this.#random.next() / 2 ** 32) * jitterMs;
    return Math.max(0, startsAt - now) + latencyMs + jitter;
  }

  #letGo(held: HeldRequest): void {
    this.#waiting.delete(held);
    const io = held.take();
    if (io !== null) this.#lower.submit(io);
  }
}
