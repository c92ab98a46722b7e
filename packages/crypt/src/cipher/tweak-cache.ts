import { transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { IvGenerator } from "./iv-generator.ts";
import { FIRST_TWEAKS_MAX } from "../kernels/xts-kernel.ts";
import type { XtsKernel } from "../kernels/xts-kernel.ts";

/** Bytes of a tweak: a block. */
export const TWEAK_LENGTH = 16;
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

  /** Puts the tweaks of a run of units where the kernel expects those of the units from `unitIndex` on: in the first three quarters of its room. */
  write(kernel: XtsKernel, sector: number, unitCount: number, unitIndex: number): void {
    if (this.#tweaks.length === 0) this.#tweaks = new Uint8Array(WINDOWS_MAX * WINDOW_LENGTH);
    const step = this.#sectorStep;
    const { bytes } = kernel.slab;
    const within = Math.floor(sector / step) % WINDOW_TWEAKS;
    const first = sector - within * step;
    const count = Math.min(unitCount, WINDOW_TWEAKS - within);
    const to = kernel.firstTweaks + unitIndex * TWEAK_LENGTH;
    const start = this.#window(kernel, first) + within * TWEAK_LENGTH;
    bytes.set(this.#tweaks.subarray(start, start + count * TWEAK_LENGTH), to);
    if (count === unitCount) return;
    const rest = this.#window(kernel, first + WINDOW_TWEAKS * step);
    bytes.set(
      this.#tweaks.subarray(rest, rest + (unitCount - count) * TWEAK_LENGTH),
      to + count * TWEAK_LENGTH,
    );
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
    const { slab } = kernel;
    // Behind all that is written for the kernel.
    const room = kernel.firstTweaks + FIRST_TWEAKS_MAX * TWEAK_LENGTH - WINDOW_LENGTH;
    this.#iv.write(slab, room, WINDOW_TWEAKS, first);
    transformInPlace(this.#cipher, slab.bytes, room, WINDOW_LENGTH);
    this.#tweaks.set(slab.bytes.subarray(room, room + WINDOW_LENGTH), at);
    this.#tags[slot] = first;
    return at;
  }
}
