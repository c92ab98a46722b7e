import type { Clock } from "@cev/core";

const KIB = 1024;
// Speed is measured over so long.
const WINDOW_MS = 3000;

/** Bounds on the speed of background work, in KiB of each member per second, as md's `speed_limit`. */
export interface SpeedLimits {
  /** It goes at least so fast while requests come in, as far as the members can. Default 1000. */
  readonly minKiB?: number;
  /** It never goes faster. Default: no limit. */
  readonly maxKiB?: number;
}

/** Measures background work, and says when it is to pause. */
export class SpeedLimit {
  readonly #clock: Clock;
  #minPerMs = (1000 * KIB) / 1000;
  #maxPerMs = Number.POSITIVE_INFINITY;
  #windowStart: number;
  #windowBytes = 0;
  /** Of the window before. */
  #lastPerMs = 0;
  #startedAt: number;
  #bytes = 0;

  constructor(clock: Clock, limits: SpeedLimits) {
    this.#clock = clock;
    this.#windowStart = clock.now();
    this.#startedAt = this.#windowStart;
    this.set(limits);
  }

  /** What is left out stays as it was. */
  set({ minKiB, maxKiB }: SpeedLimits): void {
    if (minKiB !== undefined) this.#minPerMs = (minKiB * KIB) / 1000;
    if (maxKiB !== undefined) this.#maxPerMs = (maxKiB * KIB) / 1000;
  }

  /** A pass begins. */
  restart(): void {
    this.#startedAt = this.#clock.now();
    this.#windowStart = this.#startedAt;
    this.#windowBytes = 0;
    this.#lastPerMs = 0;
    this.#bytes = 0;
  }

  get bytesPerSecond(): number {
    if (this.#lastPerMs > 0) return Math.round(this.#lastPerMs * 1000);
    const elapsed = this.#clock.now() - this.#startedAt;
    return elapsed <= 0 ? 0 : Math.round((this.#bytes / elapsed) * 1000);
  }

  /** So much was done. */
  count(bytes: number): void {
    this.#bytes += bytes;
    this.#windowBytes += bytes;
  }

  /** How long the next piece is to wait, in milliseconds. `isBusy`: requests have come in lately. */
  delay(isBusy: boolean): number {
    const now = this.#clock.now();
    const elapsed = now - this.#windowStart;
    const perMs = isBusy ? Math.min(this.#minPerMs, this.#maxPerMs) : this.#maxPerMs;
    const delay = this.#windowBytes / perMs - elapsed;
    if (elapsed >= WINDOW_MS && delay <= 0) {
      this.#lastPerMs = this.#windowBytes / elapsed;
      this.#windowStart = now;
      this.#windowBytes = 0;
    }
    return Math.max(0, delay);
  }
}
