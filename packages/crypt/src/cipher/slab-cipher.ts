import type { BufferPool, PoolBuffer, Slab } from "@cev/core";
import type { SectorCipher } from "./sector-cipher.ts";
import type { UnitOptions } from "./unit-run.ts";

/** What a mode does to whole units that lie in one slab. Addresses are bytes in it; `sector` is the number of the first unit. */
export interface SlabMode {
  /** The most bytes that are encrypted at once. */
  readonly encryptLengthMax: number;
  /** `source` and `target` are the same place or do not overlap. */
  encrypt(slab: Slab, sector: number, source: number, target: number, length: number): void;
  /** In place. */
  decrypt(slab: Slab, sector: number, address: number, length: number): void;
}

/** Bytes that are decrypted at once: more, and the results of OpenSSL's calls come from slow memory. */
export const DECRYPT_LENGTH_MAX = 65_536;

/** Brings requests to where a mode can work on them: in pieces, in a slab of the buffer pool. */
export class SlabCipher implements SectorCipher {
  readonly #mode: SlabMode;
  readonly #pool: BufferPool;
  readonly #unitLength: number;
  readonly #sectorStep: number;
  /** For what does not lie in the pool. */
  #work: PoolBuffer | null = null;

  constructor(mode: SlabMode, pool: BufferPool, units: UnitOptions) {
    this.#mode = mode;
    this.#pool = pool;
    this.#unitLength = units.unitLength;
    this.#sectorStep = units.sectorStep;
  }

  open(): void {
    this.#work ??= this.#pool.acquire(DECRYPT_LENGTH_MAX);
  }

  encrypt(
    sector: number,
    source: Uint8Array,
    sourceOffset: number,
    length: number,
    target: PoolBuffer,
  ): void {
    const { slab } = target;
    const { encryptLengthMax } = this.#mode;
    const isInSlab = source.buffer === slab.memory.buffer;
    for (let at = 0; at < length; at += encryptLengthMax) {
      const part = Math.min(encryptLengthMax, length - at);
      const to = target.address + at;
      const from = sourceOffset + at;
      if (!isInSlab) slab.bytes.set(source.subarray(from, from + part), to);
      const address = isInSlab ? source.byteOffset + from : to;
      this.#mode.encrypt(slab, this.#sectorAt(sector, at), address, to, part);
    }
  }

  /** Precondition: open. */
  decrypt(sector: number, data: Uint8Array, dataOffset: number, length: number): void {
    const slab = this.#pool.slabOf(data);
    const work = this.#work!;
    for (let at = 0; at < length; at += DECRYPT_LENGTH_MAX) {
      const part = Math.min(DECRYPT_LENGTH_MAX, length - at);
      const from = dataOffset + at;
      if (slab !== null) {
        this.#mode.decrypt(slab, this.#sectorAt(sector, at), data.byteOffset + from, part);
        continue;
      }
      work.bytes.set(data.subarray(from, from + part));
      this.#mode.decrypt(work.slab, this.#sectorAt(sector, at), work.address, part);
      data.set(work.bytes.subarray(0, part), from);
    }
  }

  close(): void {
    if (this.#work === null) return;
    this.#work.bytes.fill(0);
    this.#pool.release(this.#work);
    this.#work = null;
  }

  #sectorAt(sector: number, offset: number): number {
    return sector + (offset / this.#unitLength) * this.#sectorStep;
  }
}
