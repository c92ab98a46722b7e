import { BufferPool, assert } from "@cev/core";
import type { Kernel, PoolBuffer } from "@cev/core";
import type { BlockChaining, BlockTransform } from "./block-cipher.ts";
import type { BlockKernel } from "../kernels/block-kernel.ts";
import { wipe } from "../key/secret.ts";

const BLOCK_LENGTH = 16;
// As long as the longest run that is worked on at once: results of up to this length cost no memory of their own.
const WORK_LENGTH = 65_536;
const SLAB_LENGTH = 2 * WORK_LENGTH;

/**
 * A block cipher that OpenSSL does not have, as a kernel in memory of its own; behaves like `BlockTransform`s of OpenSSL do. A result
 * lies in that memory: the next call overwrites it.
 */
export class KernelTransform implements BlockTransform {
  readonly #kernel: BlockKernel;
  readonly #work: PoolBuffer;
  readonly #chaining: BlockChaining;
  readonly #direction: "encrypt" | "decrypt";
  /** The last block of ciphertext that went through, for cbc. */
  readonly #last: Uint8Array = new Uint8Array(BLOCK_LENGTH);

  /** `keys`: the expanded key, which is wiped. Chains when it decrypts only. */
  constructor(
    kernel: Kernel<BlockKernel>,
    keys: Uint8Array,
    chaining: BlockChaining,
    direction: "encrypt" | "decrypt",
  ) {
    assert(chaining === "ecb" || direction === "decrypt", "a kernel chains when it decrypts only");
    this.#work = new BufferPool({ slabLength: SLAB_LENGTH }).acquire(WORK_LENGTH);
    const { slab } = this.#work;
    this.#kernel = slab.kernel(kernel);
    slab.bytes.set(keys, this.#kernel.keys);
    wipe(keys);
    this.#chaining = chaining;
    this.#direction = direction;
  }

  update(data: Uint8Array): Buffer {
    const { slab, address, bytes } = this.#work;
    if (data.length <= WORK_LENGTH) {
      bytes.set(data);
      this.#transform(data);
      return Buffer.from(slab.memory.buffer, address, data.length);
    }
    const result = Buffer.allocUnsafeSlow(data.length);
    for (let at = 0; at < data.length; at += WORK_LENGTH) {
      const part = data.subarray(at, at + WORK_LENGTH);
      bytes.set(part);
      this.#transform(part);
      result.set(bytes.subarray(0, part.length), at);
    }
    wipe(bytes);
    return result;
  }

  /** Precondition: the work memory holds the bytes of `data`. */
  #transform(data: Uint8Array): void {
    const { address, bytes } = this.#work;
    const count = data.length / BLOCK_LENGTH;
    if (this.#direction === "encrypt") return this.#kernel.encrypt(address, count);
    this.#kernel.decrypt(address, count);
    if (this.#chaining === "ecb" || count === 0) return;
    const rest = data.length - BLOCK_LENGTH;
    xorAt(bytes, 0, this.#last, BLOCK_LENGTH);
    xorAt(bytes, BLOCK_LENGTH, data, rest);
    this.#last.set(data.subarray(rest));
  }
}

function xorAt(target: Uint8Array, targetAt: number, source: Uint8Array, length: number): void {
  for (let at = 0; at < length; at++) target[targetAt + at] = target[targetAt + at]! ^ source[at]!;
}
