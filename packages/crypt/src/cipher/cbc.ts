import type { Slab } from "@cev/core";
import { createBlockTransform, discardResult, isOpensslCipher, transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { IvGenerator } from "./iv-generator.ts";
import type { SlabMode } from "./slab-cipher.ts";
import type { UnitOptions } from "./unit-run.ts";
import { ROW_LENGTH, chainingKernel } from "../kernels/chaining-kernel.ts";
import type { ChainingKernel } from "../kernels/chaining-kernel.ts";

const BLOCK_LENGTH = 16;
// Units that take their steps together: a row full.
const UNITS_MAX = ROW_LENGTH / BLOCK_LENGTH;

/**
 * CBC over many units, each of which begins anew with its IV. OpenSSL chains one unit after the other, and cannot do better than one block
 * at a time when it encrypts. So many units are encrypted side by side: a call of ECB takes a block of each. When they are decrypted
 * OpenSSL goes through all of them as if they were one, and only the first block of each is set right.
 */
export class CbcMode implements SlabMode {
  readonly encryptLengthMax: number;
  readonly #unitLength: number;
  /** From so many units on they are encrypted side by side. */
  readonly #unitsMin: number;
  readonly #iv: IvGenerator;
  readonly #block: BlockTransform;
  /** Null where units are always encrypted side by side. */
  readonly #encrypt: BlockTransform | null;
  readonly #decrypt: BlockTransform;
  /** The last block of ciphertext that went through each of the two: what they chain on to. */
  readonly #encryptLast: Uint8Array = new Uint8Array(BLOCK_LENGTH);
  readonly #decryptLast: Uint8Array = new Uint8Array(BLOCK_LENGTH);

  constructor(spec: CipherSpec, key: Uint8Array, units: UnitOptions) {
    this.#unitLength = units.unitLength;
    // A call of OpenSSL costs about as much as encrypting a unit of 512 bytes, and side by side there is one for each block of a unit.
    this.#unitsMin = units.unitLength / BLOCK_LENGTH;
    this.encryptLengthMax = UNITS_MAX * units.unitLength;
    this.#iv = new IvGenerator(spec, key, units.sectorStep);
    this.#block = createBlockTransform(spec.cipher, key, "ecb", "encrypt");
    this.#encrypt = isOpensslCipher(spec.cipher)
      ? createBlockTransform(spec.cipher, key, "cbc", "encrypt")
      : null;
    this.#decrypt = createBlockTransform(spec.cipher, key, "cbc", "decrypt");
  }

  encrypt(slab: Slab, sector: number, source: number, target: number, length: number): void {
    const kernel = slab.kernel(chainingKernel);
    const unitCount = length / this.#unitLength;
    this.#iv.write(slab, kernel.row, unitCount, sector);
    kernel.xorIntoRow(0, unitCount, source, this.#unitLength);
    if (this.#encrypt === null || unitCount >= this.#unitsMin)
      this.#encryptSideBySide(kernel, unitCount, source, target);
    else this.#encryptInTurn(kernel, this.#encrypt, unitCount, source, target);
  }

  decrypt(slab: Slab, sector: number, address: number, length: number): void {
    const { bytes } = slab;
    const kernel = slab.kernel(chainingKernel);
    const unitLength = this.#unitLength;
    const unitCount = length / unitLength;
    // To its first block OpenSSL adds the last one of the unit before instead of the IV.
    this.#iv.write(slab, kernel.row, unitCount, sector);
    bytes.set(this.#decryptLast, kernel.vectors);
    kernel.xorIntoRow(0, 1, kernel.vectors, unitLength);
    kernel.xorIntoRow(1, unitCount - 1, address + unitLength - BLOCK_LENGTH, unitLength);
    copyBlock(bytes, address + length - BLOCK_LENGTH, this.#decryptLast);
    transformInPlace(this.#decrypt, bytes, address, length);
    kernel.xorIntoUnits(unitCount, address, unitLength);
  }

  /** Precondition: the row holds the units' first blocks XOR their IVs. */
  #encryptSideBySide(kernel: ChainingKernel, unitCount: number, source: number, target: number): void {
    const { bytes } = kernel.slab;
    const unitLength = this.#unitLength;
    const row = bytes.subarray(kernel.row, kernel.row + unitCount * BLOCK_LENGTH);
    const lastAt = unitLength - BLOCK_LENGTH;
    for (let at = 0; ; at += BLOCK_LENGTH) {
      const result = this.#block.update(row);
      row.set(result);
      discardResult(result);
      if (at === lastAt) break;
      kernel.stepRow(unitCount, source + at, target + at, unitLength);
    }
    kernel.storeRow(unitCount, target + lastAt, unitLength);
  }

  /** Precondition: the row holds the units' first blocks XOR their IVs. */
  #encryptInTurn(
    kernel: ChainingKernel,
    encrypt: BlockTransform,
    unitCount: number,
    source: number,
    target: number,
  ): void {
    const { bytes } = kernel.slab;
    const unitLength = this.#unitLength;
    const last = this.#encryptLast;
    if (source !== target) bytes.copyWithin(target, source, source + unitCount * unitLength);
    for (let unit = 0; unit < unitCount; unit++) {
      const address = target + unit * unitLength;
      // OpenSSL adds the last block of what it encrypted before, so that is taken out beforehand.
      const from = kernel.row + unit * BLOCK_LENGTH;
      for (let at = 0; at < BLOCK_LENGTH; at++) bytes[address + at] = bytes[from + at]! ^ last[at]!;
      transformInPlace(encrypt, bytes, address, unitLength);
      copyBlock(bytes, address + unitLength - BLOCK_LENGTH, last);
    }
  }
}

function copyBlock(bytes: Uint8Array, from: number, target: Uint8Array): void {
  for (let at = 0; at < BLOCK_LENGTH; at++) target[at] = bytes[from + at]!;
}
