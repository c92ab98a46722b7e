import { transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { IvGenerator } from "./iv-generator.ts";
import type { XtsKernel } from "../kernels/xts-kernel.ts";

const TWEAK_LENGTH = 16;
// One call of OpenSSL costs about as much as encrypting some 4 KiB: a window of tweaks costs hardly more than one.
const WINDOW_TWEAKS = 32;
const WINDOW_LENGTH = WINDOW_TWEAKS * TWEAK_LENGTH;
// With sectors of 512 bytes, those of a quarter of a gibibyte.
const WINDOWS_MAX = 16_384;

/**
 * Encrypted first tweaks of the units that were used last, in windows of 32 neighbours. Small requests spend a third of their time on
 * tweaks otherwise. Takes up to 8 MiB, of which the system gives what is used.
 */
export class TweakCache {
  readonly #cipher: BlockTransform;
  readonly #iv: IvGenerator;
  readonly #sectorStep: number;
  /** Number of each window's first tweak; NaN where there is none. Direct-mapped. */
  readonly #tags: Float64Array = new Float64Array(WINDOWS_MAX).fill(Number.NaN);
  /** Empty until it is needed: long requests do without. */
  #tweaks: Uint8Array = new Uint8Array(0);

  /** `sectorStep`: what the tweak's number grows by from unit to unit. */
  constructor(cipher: BlockTransform, iv: IvGenerator, sectorStep: number) {
    this.#cipher = cipher;
    this.#iv = iv;
    this.#sectorStep = sectorStep;
  }

  /** True where the cache is the faster way. */
  static isFor(unitCount: number): boolean {
    return unitCount <= WINDOW_TWEAKS;
  }

  /** Puts the tweaks of a run of units where the kernel expects them. */
  write(kernel: XtsKernel, sector: number, unitCount: number): void {
    if (this.#tweaks.length === 0) this.#tweaks = new Uint8Array(WINDOWS_MAX * WINDOW_LENGTH);
    const step = this.#sectorStep;
    const { bytes } = kernel.slab;
    const within = Math.floor(sector / step) % WINDOW_TWEAKS;
    const first = sector - within * step;
    const count = Math.min(unitCount, WINDOW_TWEAKS - within);
    // Finding a window may use the place that tweaks are written to: so both are found before either is written.
    const start = this.#window(kernel, first) + within * TWEAK_LENGTH;
    if (count === unitCount) {
      bytes.set(this.#tweaks.subarray(start, start + count * TWEAK_LENGTH), kernel.firstTweaks);
      return;
    }
    const rest = this.#window(kernel, first + WINDOW_TWEAKS * step);
    const middle = kernel.firstTweaks + count * TWEAK_LENGTH;
    bytes.set(this.#tweaks.subarray(start, start + count * TWEAK_LENGTH), kernel.firstTweaks);
    bytes.set(this.#tweaks.subarray(rest, rest + (unitCount - count) * TWEAK_LENGTH), middle);
  }

  /** Forgets everything. */
  clear(): void {
    for (let slot = 0; slot < WINDOWS_MAX; slot++) {
      if (Number.isNaN(this.#tags[slot]!)) continue;
      this.#tags[slot] = Number.NaN;
      this.#tweaks.fill(0, slot * WINDOW_LENGTH, (slot + 1) * WINDOW_LENGTH);
    }
  }

  /** Where in the cache the window that begins with this number lies. */
  #window(kernel: XtsKernel, first: number): number {
    const slot = Math.floor(first / (WINDOW_TWEAKS * this.#sectorStep)) % WINDOWS_MAX;
    const at = slot * WINDOW_LENGTH;
    if (this.#tags[slot] === first) return at;
    const { bytes } = kernel.slab;
    this.#iv.write(kernel.slab, kernel.firstTweaks, WINDOW_TWEAKS, first);
    transformInPlace(this.#cipher, bytes, kernel.firstTweaks, WINDOW_LENGTH);
    this.#tweaks.set(bytes.subarray(kernel.firstTweaks, kernel.firstTweaks + WINDOW_LENGTH), at);
    this.#tags[slot] = first;
    return at;
  }
}
