import { assert } from "@cev/core";
import type { Kernel, Slab, WasmExports } from "@cev/core";
import { wasmBytes } from "./parity.generated.ts";

// What lies outside the slab is copied in pieces of this many bytes, so many sources at a time: small enough to
// stay in the first-level cache and to leave room for other kernels in the slab.
const PIECE_LENGTH = 4096;
const SLOT_COUNT = 4;
// Addresses for one call: sources beyond that take further calls.
const LIST_LENGTH = 256;
const UNIT_LENGTH = 128;

type Xor = (target: number, list: number, count: number, length: number) => number;

/**
 * XOR on the memory of one slab. `begin`, `add` each source, then `xorTo` or `xorIsZero`: all within one turn. Sources
 * that lie in the slab are read in place; others are copied through. Lengths are multiples of 128 bytes.
 */
export class ParityKernel {
  readonly #xor: Xor;
  readonly #xorIsZero: (list: number, count: number, length: number) => number;
  readonly #isZero: (address: number, length: number) => number;
  readonly #slab: Slab;
  /** `slab.memory.buffer`, which costs a call each time that it is asked for. */
  readonly #memory: ArrayBufferLike;
  readonly #listAddress: number;
  readonly #list: Uint32Array;
  readonly #slotsAddress: number;
  // Their lengths stay what the longest list so far made them.
  readonly #inside: number[] = [];
  readonly #outside: (Uint8Array | null)[] = [];
  readonly #outsideOffsets: number[] = [];
  #insideCount = 0;
  #outsideCount = 0;

  /** @internal Use `slab.kernel(PARITY_KERNEL)`. */
  constructor(exports: WasmExports, scratchAddress: number, slab: Slab) {
    this.#xor = exports["xor"]!;
    this.#xorIsZero = exports["xorIsZero"]!;
    this.#isZero = exports["isZero"]!;
    this.#slab = slab;
    this.#memory = slab.memory.buffer;
    this.#listAddress = scratchAddress;
    this.#list = new Uint32Array(this.#memory, scratchAddress, LIST_LENGTH);
    this.#slotsAddress = scratchAddress + 4 * LIST_LENGTH;
  }

  /** Forgets the sources of the last call. */
  begin(): void {
    for (let index = 0; index < this.#outsideCount; index++) this.#outside[index] = null;
    this.#insideCount = 0;
    this.#outsideCount = 0;
  }

  /** One more source: `data` from `offset` on. */
  add(data: Uint8Array, offset: number): void {
    if (data.buffer === this.#memory) {
      this.#inside[this.#insideCount++] = data.byteOffset + offset;
    } else {
      this.#outside[this.#outsideCount] = data;
      this.#outsideOffsets[this.#outsideCount++] = offset;
    }
  }

  /** The XOR of all sources goes to `address` in the slab, where the first source may lie, and no other. */
  xorTo(address: number, length: number): void {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    const step = this.#outsideCount === 0 ? length : PIECE_LENGTH;
    for (let at = 0; at < length; at += step) this.#xorPiece(address, at, Math.min(step, length - at));
    this.begin();
  }

  /** True where the XOR of all sources is zero. They lie in the slab, and are 256 at most. */
  xorIsZero(length: number): boolean {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    assert(this.#outsideCount === 0 && this.#insideCount <= LIST_LENGTH, "what is compared lies in the slab");
    const count = this.#insideCount;
    for (let index = 0; index < count; index++) this.#list[index] = this.#inside[index]!;
    this.begin();
    return count === 0 || this.#xorIsZero(this.#listAddress, count, length) !== 0;
  }

  /** True where all bytes are zero. Takes no sources. */
  isZero(address: number, length: number): boolean {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    return this.#isZero(address, length) !== 0;
  }

  #xorPiece(address: number, at: number, length: number): void {
    let count = 0;
    for (let index = 0; index < this.#insideCount; index++) {
      if (count === LIST_LENGTH) count = this.#run(address + at, count, length);
      this.#list[count++] = this.#inside[index]! + at;
    }
    let slot = 0;
    for (let index = 0; index < this.#outsideCount; index++) {
      if (slot === SLOT_COUNT || count === LIST_LENGTH) {
        count = this.#run(address + at, count, length);
        slot = 0;
      }
      const slotAddress = this.#slotsAddress + slot++ * PIECE_LENGTH;
      const from = this.#outsideOffsets[index]! + at;
      this.#slab.bytes.set(this.#outside[index]!.subarray(from, from + length), slotAddress);
      this.#list[count++] = slotAddress;
    }
    this.#run(address + at, count, length);
  }

  /** Runs over what is listed; afterwards the target is the only source. */
  #run(target: number, count: number, length: number): number {
    this.#xor(target, this.#listAddress, count, length);
    this.#list[0] = target;
    return 1;
  }
}

/** The kernel for `Slab.kernel`. */
export const PARITY_KERNEL: Kernel<ParityKernel> = {
  bytes: wasmBytes,
  scratchLength: 4 * LIST_LENGTH + SLOT_COUNT * PIECE_LENGTH,
  bind: (exports, scratchAddress, slab) => new ParityKernel(exports, scratchAddress, slab),
};
