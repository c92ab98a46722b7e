import type { Slab } from "@cev/core";
import { createBlockTransform, transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { IV_LENGTH, IvGenerator } from "./iv-generator.ts";
import { LrwTweaks } from "./lrw-tweaks.ts";
import { DECRYPT_LENGTH_MAX } from "./slab-cipher.ts";
import type { SlabMode } from "./slab-cipher.ts";
import type { UnitOptions } from "./unit-run.ts";
import { ROW_LENGTH, chainingKernel } from "../kernels/chaining-kernel.ts";

/** Bytes at the end of the key of which tweaks are made. */
export const LRW_TWEAK_KEY_LENGTH = 16;

/** ECB between two XORs with tweaks that depend on a block's place: what came before XTS. */
export class LrwMode implements SlabMode {
  readonly encryptLengthMax: number = DECRYPT_LENGTH_MAX;
  readonly #unitLength: number;
  readonly #sectorStep: number;
  readonly #iv: IvGenerator;
  readonly #tweaks: LrwTweaks;
  readonly #encrypt: BlockTransform;
  readonly #decrypt: BlockTransform;

  constructor(spec: CipherSpec, key: Uint8Array, units: UnitOptions) {
    const cipherKey = key.subarray(0, key.length - LRW_TWEAK_KEY_LENGTH);
    this.#unitLength = units.unitLength;
    this.#sectorStep = units.sectorStep;
    this.#iv = new IvGenerator(spec, key, units.sectorStep);
    this.#tweaks = new LrwTweaks(key.subarray(cipherKey.length));
    this.#encrypt = createBlockTransform(spec.cipher, cipherKey, "ecb", "encrypt");
    this.#decrypt = createBlockTransform(spec.cipher, cipherKey, "ecb", "decrypt");
  }

  encrypt(slab: Slab, sector: number, source: number, target: number, length: number): void {
    this.#transform(this.#encrypt, slab, sector, source, target, length);
  }

  decrypt(slab: Slab, sector: number, address: number, length: number): void {
    this.#transform(this.#decrypt, slab, sector, address, address, length);
  }

  #transform(
    transform: BlockTransform,
    slab: Slab,
    sector: number,
    source: number,
    target: number,
    length: number,
  ): void {
    const kernel = slab.kernel(chainingKernel);
    const view = new DataView(slab.memory.buffer);
    const unitLength = this.#unitLength;
    for (let at = 0; at < length; at += ROW_LENGTH) {
      const part = Math.min(ROW_LENGTH, length - at);
      const unitCount = part / unitLength;
      this.#iv.write(slab, kernel.vectors, unitCount, sector + (at / unitLength) * this.#sectorStep);
      for (let unit = 0; unit < unitCount; unit++) {
        const row = kernel.row + unit * unitLength;
        this.#tweaks.write(view, kernel.vectors + unit * IV_LENGTH, row, unitLength / IV_LENGTH);
      }
      kernel.xorStream(part, source + at, target + at);
      transformInPlace(transform, slab.bytes, target + at, part);
      kernel.xorStream(part, target + at, target + at);
    }
  }
}
