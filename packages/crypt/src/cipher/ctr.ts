import type { Slab } from "@cev/core";
import { createBlockTransform, transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { IvGenerator } from "./iv-generator.ts";
import { DECRYPT_LENGTH_MAX } from "./slab-cipher.ts";
import type { SlabMode } from "./slab-cipher.ts";
import type { UnitOptions } from "./unit-run.ts";
import { ROW_LENGTH, chainingKernel } from "../kernels/chaining-kernel.ts";

/** Data XOR encrypted counters, which begin with each unit's IV; encryption and decryption are the same. */
export class CtrMode implements SlabMode {
  readonly encryptLengthMax: number = DECRYPT_LENGTH_MAX;
  readonly #unitLength: number;
  readonly #sectorStep: number;
  readonly #iv: IvGenerator;
  readonly #encrypt: BlockTransform;

  constructor(spec: CipherSpec, key: Uint8Array, units: UnitOptions) {
    this.#unitLength = units.unitLength;
    this.#sectorStep = units.sectorStep;
    this.#iv = new IvGenerator(spec, key, units.sectorStep);
    this.#encrypt = createBlockTransform(spec.cipher, key, "ecb", "encrypt");
  }

  encrypt(slab: Slab, sector: number, source: number, target: number, length: number): void {
    const kernel = slab.kernel(chainingKernel);
    const unitLength = this.#unitLength;
    for (let at = 0; at < length; at += ROW_LENGTH) {
      const part = Math.min(ROW_LENGTH, length - at);
      const unitCount = part / unitLength;
      this.#iv.write(slab, kernel.vectors, unitCount, sector + (at / unitLength) * this.#sectorStep);
      kernel.writeCounters(unitCount, unitLength / 16);
      transformInPlace(this.#encrypt, slab.bytes, kernel.row, part);
      kernel.xorStream(part, source + at, target + at);
    }
  }

  decrypt(slab: Slab, sector: number, address: number, length: number): void {
    this.encrypt(slab, sector, address, address, length);
  }
}
