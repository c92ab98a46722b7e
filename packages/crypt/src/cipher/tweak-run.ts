import { transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import { IV_LENGTH } from "./iv-generator.ts";
import type { IvGenerator } from "./iv-generator.ts";
import { FIRST_TWEAKS_MAX } from "../kernels/xts-kernel.ts";
import type { XtsKernel } from "../kernels/xts-kernel.ts";

/**
 * Encrypted first tweaks for long requests. Where one goes on at the end of the one before, those of the next few are made along with its
 * own: a call of OpenSSL costs more than the tweaks it encrypts.
 */
export class TweakRun {
  readonly #cipher: BlockTransform;
  readonly #iv: IvGenerator;
  readonly #sectorStep: number;
  readonly #tweaks: Uint8Array = new Uint8Array(FIRST_TWEAKS_MAX * IV_LENGTH);
  /** Number of the first of the tweaks that are kept; NaN: there are none. */
  #first: number = Number.NaN;
  /** Where the last request ended. */
  #next: number = Number.NaN;

  /** `sectorStep`: what the tweak's number grows by from unit to unit. */
  constructor(cipher: BlockTransform, iv: IvGenerator, sectorStep: number) {
    this.#cipher = cipher;
    this.#iv = iv;
    this.#sectorStep = sectorStep;
  }

  /** Puts the tweaks of a run of units, a chunk at most, where the kernel expects them. */
  write(kernel: XtsKernel, sector: number, unitCount: number): void {
    const { slab, firstTweaks } = kernel;
    const isGoingOn = sector === this.#next;
    this.#next = sector + unitCount * this.#sectorStep;
    const within = (sector - this.#first) / this.#sectorStep;
    if (within >= 0 && within + unitCount <= FIRST_TWEAKS_MAX && Number.isInteger(within)) {
      const start = within * IV_LENGTH;
      slab.bytes.set(this.#tweaks.subarray(start, start + unitCount * IV_LENGTH), firstTweaks);
      return;
    }
    const count = isGoingOn ? FIRST_TWEAKS_MAX : unitCount;
    this.#iv.write(slab, firstTweaks, count, sector);
    transformInPlace(this.#cipher, slab.bytes, firstTweaks, count * IV_LENGTH);
    if (!isGoingOn) return;
    this.#tweaks.set(slab.bytes.subarray(firstTweaks, firstTweaks + FIRST_TWEAKS_MAX * IV_LENGTH));
    this.#first = sector;
  }

  /** Forgets everything. */
  clear(): void {
    this.#first = Number.NaN;
    this.#next = Number.NaN;
    this.#tweaks.fill(0);
  }
}
