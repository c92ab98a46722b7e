import type { Slab } from "@cev/core";
import { createBlockTransform, transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { DECRYPT_LENGTH_MAX } from "./slab-cipher.ts";
import type { SlabMode } from "./slab-cipher.ts";

/** Every block by itself: equal blocks look equal, wherever they lie. */
export class EcbMode implements SlabMode {
  readonly encryptLengthMax: number = DECRYPT_LENGTH_MAX;
  readonly #encrypt: BlockTransform;
  readonly #decrypt: BlockTransform;

  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#encrypt = createBlockTransform(spec.cipher, key, "ecb", "encrypt");
    this.#decrypt = createBlockTransform(spec.cipher, key, "ecb", "decrypt");
  }

  encrypt(slab: Slab, _sector: number, source: number, target: number, length: number): void {
    if (source !== target) slab.bytes.copyWithin(target, source, source + length);
    transformInPlace(this.#encrypt, slab.bytes, target, length);
  }

  decrypt(slab: Slab, _sector: number, address: number, length: number): void {
    transformInPlace(this.#decrypt, slab.bytes, address, length);
  }
}
