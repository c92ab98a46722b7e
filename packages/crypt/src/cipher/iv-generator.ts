import type { Slab } from "@cev/core";
import { createBlockTransform, transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { CipherSpec, IvName } from "./cipher-spec.ts";
import { ivKernel } from "../kernels/iv-kernel.ts";
import { digest } from "../key/hash.ts";
import { wipe } from "../key/secret.ts";

/** Bytes of an initialization vector: a block. */
export const IV_LENGTH = 16;

/** Makes the initialization vectors of runs of units, in the memory of the buffer pool. */
export class IvGenerator {
  readonly #iv: IvName;
  readonly #sectorStep: number;
  readonly #benbiShift: number;
  readonly #essiv: BlockTransform | null;

  /** `key`: the whole key, of which ESSIV takes a hash; the caller wipes it. `sectorStep`: what the number grows by from unit to unit. */
  constructor(spec: CipherSpec, key: Uint8Array, sectorStep: number) {
    this.#iv = spec.iv ?? "null";
    this.#sectorStep = sectorStep;
    this.#benbiShift = benbiShift(spec);
    this.#essiv = createEssiv(spec, key);
  }

  /** Writes `count` vectors one behind the other, from `address` on in the slab. `sector`: number of the first unit. */
  write(slab: Slab, address: number, count: number, sector: number): void {
    const kernel = slab.kernel(ivKernel);
    switch (this.#iv) {
      case "plain64":
        kernel.writeLittle(address, count, sector, this.#sectorStep, 64);
        break;
      case "plain":
        kernel.writeLittle(address, count, sector, this.#sectorStep, 32);
        break;
      case "plain64be":
        kernel.writeBig(address, count, sector, this.#sectorStep, 0, 0);
        break;
      case "benbi":
        kernel.writeBig(address, count, sector, this.#sectorStep, this.#benbiShift, 1);
        break;
      case "null":
        slab.bytes.fill(0, address, address + count * IV_LENGTH);
        break;
    }
    if (this.#essiv !== null) transformInPlace(this.#essiv, slab.bytes, address, count * IV_LENGTH);
  }
}

/** The encryption of ESSIV's numbers: under a hash of the whole key. Null for a cipher without it. */
export function createEssiv(spec: CipherSpec, key: Uint8Array): BlockTransform | null {
  if (spec.essivHash === null) return null;
  const salt = digest(spec.essivHash, key);
  const transform = createBlockTransform(spec.cipher, salt, "ecb", "encrypt");
  wipe(salt);
  return transform;
}

/** The power of two by which benbi multiplies a number that counts 512 bytes. */
export function benbiShift(spec: CipherSpec): number {
  return Math.log2(512 / spec.narrowBlockLength);
}
