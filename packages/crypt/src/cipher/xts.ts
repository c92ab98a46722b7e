import type { BufferPool, PoolBuffer } from "@cev/core";
import { createBlockTransform, transformInPlace } from "./block-cipher.ts";
import type { BlockTransform } from "./block-cipher.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import type { Evp } from "./ffi/evp.ts";
import { IV_LENGTH, IvGenerator } from "./iv-generator.ts";
import { TweakCache } from "./tweak-cache.ts";
import { TweakRun } from "./tweak-run.ts";
import type { UnitOptions } from "./unit-run.ts";
import type { CipherPart, SectorCipher } from "./sector-cipher.ts";
import { CHAIN_LENGTH_MAX, CHUNK_LENGTH, xtsKernel } from "../kernels/xts-kernel.ts";
import type { XtsKernel } from "../kernels/xts-kernel.ts";

/**
 * XTS over whole requests: all first tweaks of a chunk are encrypted in one call, and so is all its data; the rest is a kernel
 * in the buffer pool's own memory. XTS(P) = AES-ECB(P xor T) xor T, T doubling in GF(2^128) from block to block (IEEE 1619).
 */
export class XtsCipher implements SectorCipher {
  readonly #pool: BufferPool;
  readonly #unitLength: number;
  readonly #sectorStep: number;
  readonly #chainLength: number;
  readonly #chainsPerUnit: number;
  readonly #iv: IvGenerator;
  readonly #tweak: BlockTransform;
  readonly #cache: TweakCache;
  readonly #run: TweakRun;
  readonly #encrypt: BlockTransform;
  readonly #decrypt: BlockTransform;
  /** For what does not lie in the pool. */
  #work: PoolBuffer | null = null;

  /** `key`: both halves; the caller wipes it. `evp`: work through it, in place. */
  constructor(
    spec: CipherSpec,
    key: Uint8Array,
    pool: BufferPool,
    { evp = null, ...units }: UnitOptions & { readonly evp?: Evp | null },
  ) {
    const half = key.length / 2;
    this.#pool = pool;
    this.#unitLength = units.unitLength;
    this.#sectorStep = units.sectorStep;
    this.#chainLength = Math.min(units.unitLength, CHAIN_LENGTH_MAX);
    this.#chainsPerUnit = units.unitLength / this.#chainLength;
    this.#iv = new IvGenerator(spec, key, units.sectorStep);
    this.#tweak = createBlockTransform(spec.cipher, key.subarray(half), "ecb", "encrypt", evp);
    this.#cache = new TweakCache(this.#tweak, this.#iv, units.sectorStep);
    this.#run = new TweakRun(this.#tweak, this.#iv, units.sectorStep);
    this.#encrypt = createBlockTransform(spec.cipher, key.subarray(0, half), "ecb", "encrypt", evp);
    this.#decrypt = createBlockTransform(spec.cipher, key.subarray(0, half), "ecb", "decrypt", evp);
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

  /** One call of OpenSSL for all tweaks, and one for all data. */
  encryptParts(parts: readonly CipherPart[], target: PoolBuffer): void {
    const { slab, address } = target;
    const kernel = slab.kernel(xtsKernel);
    const chains = this.#chainsOf(kernel, parts);
    let chain = chains;
    let to = address;
    for (const { data, dataOffset, length } of parts) {
      const isInSlab = data.buffer === slab.memory.buffer;
      if (!isInSlab) slab.bytes.set(data.subarray(dataOffset, dataOffset + length), to);
      const source = isInSlab ? data.byteOffset + dataOffset : to;
      const chainCount = length / this.#chainLength;
      kernel.xorChains(chain, chainCount, this.#chainLength, source, to);
      chain += chainCount * IV_LENGTH;
      to += length;
    }
    transformInPlace(this.#encrypt, slab.bytes, address, to - address);
    const chainCount = (to - address) / this.#chainLength;
    kernel.xorChains(chains, chainCount, this.#chainLength, address, address);
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

  /** Gathered for two calls of OpenSSL, and put back where they came from. Precondition: open. */
  decryptParts(parts: readonly CipherPart[]): void {
    const { slab, address } = this.#work!;
    const { bytes } = slab;
    const kernel = slab.kernel(xtsKernel);
    const chains = this.#chainsOf(kernel, parts);
    let chain = chains;
    let at = address;
    for (const { data, dataOffset, length } of parts) {
      const isInSlab = data.buffer === bytes.buffer;
      if (!isInSlab) bytes.set(data.subarray(dataOffset, dataOffset + length), at);
      const chainCount = length / this.#chainLength;
      const source = isInSlab ? data.byteOffset + dataOffset : at;
      kernel.xorChains(chain, chainCount, this.#chainLength, source, at);
      chain += chainCount * IV_LENGTH;
      at += length;
    }
    transformInPlace(this.#decrypt, bytes, address, at - address);
    chain = chains;
    at = address;
    for (const { data, dataOffset, length } of parts) {
      const isInSlab = data.buffer === bytes.buffer;
      const chainCount = length / this.#chainLength;
      const target = isInSlab ? data.byteOffset + dataOffset : at;
      kernel.xorChains(chain, chainCount, this.#chainLength, at, target);
      if (!isInSlab) data.set(bytes.subarray(at, at + length), dataOffset);
      chain += chainCount * IV_LENGTH;
      at += length;
    }
  }

  /** Gives the pool its memory back. Nothing may be transformed afterwards. */
  close(): void {
    this.#cache.clear();
    this.#run.clear();
    if (this.#work === null) return;
    this.#work.bytes.fill(0);
    this.#pool.release(this.#work);
    this.#work = null;
  }

  #sectorAt(sector: number, offset: number): number {
    return sector + (offset / this.#unitLength) * this.#sectorStep;
  }

  /** Address of the tweaks of all chains of several requests, one behind the other: made in one call. */
  #chainsOf(kernel: XtsKernel, parts: readonly CipherPart[]): number {
    const { slab, firstTweaks } = kernel;
    let unitCount = 0;
    for (const { sector, length } of parts) {
      const count = length / this.#unitLength;
      this.#iv.write(slab, firstTweaks + unitCount * IV_LENGTH, count, sector);
      unitCount += count;
    }
    transformInPlace(this.#tweak, slab.bytes, firstTweaks, unitCount * IV_LENGTH);
    return kernel.chainsOf(unitCount, this.#chainsPerUnit);
  }

  /** One chunk, within one slab. */
  #transform(
    cipher: BlockTransform,
    kernel: XtsKernel,
    sector: number,
    length: number,
    source: number,
    target: number,
  ): void {
    const { bytes } = kernel.slab;
    const unitCount = length / this.#unitLength;
    if (TweakCache.isFor(unitCount)) {
      this.#cache.write(kernel, sector, unitCount);
    } else {
      this.#run.write(kernel, sector, unitCount);
    }
    const chains = kernel.chainsOf(unitCount, this.#chainsPerUnit);
    const chainCount = unitCount * this.#chainsPerUnit;
    kernel.xorChains(chains, chainCount, this.#chainLength, source, target);
    transformInPlace(cipher, bytes, target, length);
    kernel.xorChains(chains, chainCount, this.#chainLength, target, target);
  }
}
