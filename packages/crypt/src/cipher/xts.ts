import type { BufferPool, PoolBuffer } from "@cev/core";
import { createEcb, discardResult } from "./ecb.ts";
import type { EcbTransform } from "./ecb.ts";
import { TweakCache } from "./tweak-cache.ts";
import { CHAIN_LENGTH_MAX, CHUNK_LENGTH, xtsKernel } from "../kernels/xts-kernel.ts";
import type { XtsKernel } from "../kernels/xts-kernel.ts";

/** How a device is cut into units with a tweak each. */
export interface XtsOptions {
  /** Bytes of one unit: 512 to 4096, a power of two. */
  readonly unitLength: number;
  /** What the tweak's number grows by from unit to unit. */
  readonly sectorStep: number;
}

/**
 * AES-XTS over whole requests: all first tweaks of a chunk are encrypted in one call, and so is all its data; the rest is a kernel
 * in the buffer pool's own memory. XTS(P) = AES-ECB(P xor T) xor T, T doubling in GF(2^128) from block to block (IEEE 1619).
 */
export class XtsCipher {
  readonly #pool: BufferPool;
  readonly #unitLength: number;
  readonly #sectorStep: number;
  readonly #chainLength: number;
  readonly #chainsPerUnit: number;
  readonly #tweak: EcbTransform;
  readonly #cache: TweakCache;
  readonly #encrypt: EcbTransform;
  readonly #decrypt: EcbTransform;
  /** For what does not lie in the pool. */
  #work: PoolBuffer | null = null;

  /** `key`: both halves, 32 or 64 bytes; the caller wipes it. */
  constructor(key: Uint8Array, pool: BufferPool, options: XtsOptions) {
    const half = key.length / 2;
    this.#pool = pool;
    this.#unitLength = options.unitLength;
    this.#sectorStep = options.sectorStep;
    this.#chainLength = Math.min(options.unitLength, CHAIN_LENGTH_MAX);
    this.#chainsPerUnit = options.unitLength / this.#chainLength;
    this.#tweak = createEcb(key.subarray(half), "encrypt");
    this.#cache = new TweakCache(this.#tweak, options.sectorStep);
    this.#encrypt = createEcb(key.subarray(0, half), "encrypt");
    this.#decrypt = createEcb(key.subarray(0, half), "decrypt");
  }

  /** Takes the memory it works in. Throws `CEV_NO_MEMORY` when the pool has no room. */
  open(): void {
    this.#work ??= this.#pool.acquire(CHUNK_LENGTH);
  }

  /** Encrypts `length` bytes of `source`, which stays as it is, into a buffer of the pool. `sector`: number of the first tweak. */
  encrypt(
    sector: number,
    source: Uint8Array,
    sourceOffset: number,
    length: number,
    target: PoolBuffer,
  ): void {
    const { slab } = target;
    const kernel = slab.kernel(xtsKernel);
    const isInSlab = source.buffer === slab.memory.buffer;
    for (let at = 0; at < length; at += CHUNK_LENGTH) {
      const part = Math.min(CHUNK_LENGTH, length - at);
      const to = target.address + at;
      const from = sourceOffset + at;
      if (!isInSlab) slab.bytes.set(source.subarray(from, from + part), to);
      this.#transform(
        this.#encrypt,
        kernel,
        this.#sectorAt(sector, at),
        part,
        isInSlab ? source.byteOffset + from : to,
        to,
      );
    }
  }

  /** Decrypts `length` bytes in place. Precondition: open. */
  decrypt(sector: number, data: Uint8Array, dataOffset: number, length: number): void {
    const slab = this.#pool.slabOf(data);
    const work = this.#work!;
    const kernel = (slab ?? work.slab).kernel(xtsKernel);
    for (let at = 0; at < length; at += CHUNK_LENGTH) {
      const part = Math.min(CHUNK_LENGTH, length - at);
      const from = dataOffset + at;
      if (slab !== null) {
        const address = data.byteOffset + from;
        this.#transform(this.#decrypt, kernel, this.#sectorAt(sector, at), part, address, address);
        continue;
      }
      const { address, bytes } = work;
      bytes.set(data.subarray(from, from + part));
      this.#transform(this.#decrypt, kernel, this.#sectorAt(sector, at), part, address, address);
      data.set(bytes.subarray(0, part), from);
    }
  }

  /** Gives the pool its memory back. Nothing may be transformed afterwards. */
  close(): void {
    this.#cache.clear();
    if (this.#work === null) return;
    this.#work.bytes.fill(0);
    this.#pool.release(this.#work);
    this.#work = null;
  }

  #sectorAt(sector: number, offset: number): number {
    return sector + (offset / this.#unitLength) * this.#sectorStep;
  }

  /** One chunk, within one slab. */
  #transform(
    cipher: EcbTransform,
    kernel: XtsKernel,
    sector: number,
    length: number,
    source: number,
    target: number,
  ): void {
    const { bytes } = kernel.slab;
    const { firstTweaks } = kernel;
    const unitCount = length / this.#unitLength;
    if (TweakCache.isFor(unitCount)) {
      this.#cache.write(kernel, sector, unitCount);
    } else {
      kernel.writeNumbers(unitCount, sector, this.#sectorStep);
      replace(this.#tweak, bytes, firstTweaks, unitCount * 16);
    }
    kernel.writeChains(unitCount, this.#chainsPerUnit);
    const chainCount = unitCount * this.#chainsPerUnit;
    kernel.xorChains(chainCount, this.#chainLength, source, target);
    replace(cipher, bytes, target, length);
    kernel.xorChains(chainCount, this.#chainLength, target, target);
  }
}

/** Puts the transform of a range in its place. */
function replace(cipher: EcbTransform, bytes: Uint8Array, address: number, length: number): void {
  const result = cipher.update(bytes.subarray(address, address + length));
  bytes.set(result, address);
  discardResult(result);
}
