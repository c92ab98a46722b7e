import { assert } from "@cev/core";
import type { Kernel, Slab, WasmExports } from "@cev/core";
import { pairFactors, singleFactor } from "./galois-field.ts";
import { wasmBytes } from "./pq.generated.ts";
import { ProductTables } from "./product-tables.ts";

// A source for the old and one for the new data of each of the 255 data members that a RAID6 can have.
const SOURCES_MAX = 510;
const EXPONENT_MAX = 254;
// What lies outside the slab is copied in pieces of this many bytes (a block of the kernel's), so many sources at a
// time: small enough to stay in the first-level cache and to leave room for other kernels in the slab.
const PIECE_LENGTH = 4096;
const SLOT_COUNT = 4;
const ENTRY_LENGTH = 8;
const UNIT_LENGTH = 128;
const NONE = -1;

// As in assembly/pq.ts.
const STORE = 0;
const CHECK = 1;
const RECOVER_ONE = 2;
const RECOVER_TWO = 3;

const LIST_AT = ProductTables.length;
// Room for both sums of a piece.
const SUMS_AT = LIST_AT + SOURCES_MAX * ENTRY_LENGTH;
const SLOTS_AT = SUMS_AT + 2 * PIECE_LENGTH;
const SCRATCH_LENGTH = SLOTS_AT + SLOT_COUNT * PIECE_LENGTH;

type AddTo = (
  list: number,
  count: number,
  p: number,
  q: number,
  products: number,
  tables: number,
  length: number,
) => number;
type Pq = (
  mode: number,
  list: number,
  count: number,
  tail: number,
  start: number,
  sums: number,
  p: number,
  q: number,
  x: number,
  y: number,
  tables: number,
  length: number,
) => number;

/**
 * RAID6's two parities on the memory of one slab: P, the sum of all sources, and Q, the sum of each times 2 to its
 * exponent, in GF(2^8). `begin`, `add` each source, then one of the others, which ends it: all within one turn. Sources
 * that lie in the slab are read in place, others are copied through. All other addresses are bytes of the slab. What is
 * recovered may go where a parity lies; no target lies on a source. Lengths are multiples of 128 bytes.
 */
export class PqKernel {
  readonly #pq: Pq;
  readonly #addTo: AddTo;
  readonly #isZero: (address: number, length: number) => unknown;
  readonly #slab: Slab;
  /** `slab.memory.buffer`, which costs a call each time that it is asked for. */
  readonly #memory: ArrayBufferLike;
  readonly #scratch: number;
  readonly #list: Int32Array;
  readonly #tables: ProductTables;
  /** By exponent, the source added last, and by source the one before it with the same exponent. */
  readonly #lastOf: Int32Array = new Int32Array(EXPONENT_MAX + 1).fill(NONE);
  readonly #before: Int32Array = new Int32Array(SOURCES_MAX);
  /** By source: its address in the slab, or its place in memory outside. */
  readonly #offsets: Float64Array = new Float64Array(SOURCES_MAX);
  readonly #outside: (Uint8Array | null)[] = new Array<Uint8Array | null>(SOURCES_MAX).fill(null);
  #count = 0;
  #outsideCount = 0;
  #exponentLeast = EXPONENT_MAX;
  #exponentMost = 0;

  /** @internal Use `slab.kernel(PQ_KERNEL)`. */
  constructor(exports: WasmExports, scratchAddress: number, slab: Slab) {
    this.#pq = exports["pq"] as Pq;
    this.#addTo = exports["addTo"]!;
    this.#isZero = exports["isZero"]!;
    this.#slab = slab;
    this.#memory = slab.memory.buffer;
    this.#scratch = scratchAddress;
    this.#list = new Int32Array(this.#memory, scratchAddress + LIST_AT, (SOURCES_MAX * ENTRY_LENGTH) / 4);
    this.#tables = new ProductTables(this.#memory, scratchAddress);
  }

  /** Forgets sources that were added and not used. */
  begin(): void {
    for (let exponent = this.#exponentLeast; exponent <= this.#exponentMost; exponent++)
      this.#lastOf[exponent] = NONE;
    if (this.#outsideCount > 0) this.#outside.fill(null, 0, this.#count);
    this.#count = 0;
    this.#outsideCount = 0;
    this.#exponentLeast = EXPONENT_MAX;
    this.#exponentMost = 0;
  }

  /** One more source: `data` from `offset` on. Its exponent, at most 254, may be one that another has too. */
  add(data: Uint8Array, offset: number, exponent: number): void {
    assert(exponent >= 0 && exponent <= EXPONENT_MAX, "Q has coefficients up to 2 to the 254th");
    assert(this.#count < SOURCES_MAX, `a stripe has at most ${SOURCES_MAX} sources`);
    const source = this.#count++;
    if (data.buffer === this.#memory) {
      this.#offsets[source] = data.byteOffset + offset;
    } else {
      this.#offsets[source] = offset;
      this.#outside[source] = data;
      this.#outsideCount++;
    }
    this.#before[source] = this.#lastOf[exponent]!;
    this.#lastOf[exponent] = source;
    if (exponent < this.#exponentLeast) this.#exponentLeast = exponent;
    if (exponent > this.#exponentMost) this.#exponentMost = exponent;
  }

  /** P and Q of all sources go to these addresses; -1: not wanted. */
  pqTo(p: number, q: number, length: number): void {
    this.#sum(STORE, p, q, NONE, NONE, length);
  }

  /** P and Q of all sources are added to what lies at these addresses; -1: not wanted. */
  pqInto(p: number, q: number, length: number): void {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    const step = this.#outsideCount === 0 ? length : PIECE_LENGTH;
    for (let at = 0; at < length; at += step) this.#addPiece(p, q, at, Math.min(step, length - at));
    this.begin();
  }

  /** Compares: bit 0, what lies at `p` is not P; bit 1, what lies at `q` is not Q; -1: not looked at. */
  checkPq(p: number, q: number, length: number): number {
    return this.#sum(CHECK, p, q, NONE, NONE, length);
  }

  /**
   * The source with the exponent `exponentLost` goes to `target`, from Q at `q` and the others, which were added. With
   * `pTarget`, P of all goes there.
   */
  recoverOneQ(q: number, exponentLost: number, target: number, length: number, pTarget: number = NONE): void {
    this.#tables.setFactor(0, singleFactor(exponentLost));
    this.#sum(RECOVER_ONE, NONE, q, target, pTarget, length);
  }

  /** The two sources with these exponents go to their targets, from both parities and the others, which were added. */
  recoverTwo(
    p: number,
    q: number,
    exponentX: number,
    exponentY: number,
    targetX: number,
    targetY: number,
    length: number,
  ): void {
    assert(exponentX !== exponentY, "two sources are told apart by their exponents");
    const factors = pairFactors(exponentX, exponentY);
    this.#tables.setFactor(0, factors.q);
    this.#tables.setFactor(1, factors.p);
    this.#sum(RECOVER_TWO, p, q, targetX, targetY, length);
  }

  /** Adds the bytes at `source`, each times `factor`, to those at `target`. Takes no sources. */
  multiplyInto(source: number, target: number, factor: number, length: number): void {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    this.#tables.setFactor(0, factor);
    this.#list[0] = source;
    this.#runAdd(1, NONE, target, this.#tables.address, length);
  }

  /** True where all bytes are zero. Takes no sources. */
  isZero(address: number, length: number): boolean {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    return this.#isZero(address, length) !== 0;
  }

  #sum(mode: number, p: number, q: number, x: number, y: number, length: number): number {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    const step = this.#outsideCount === 0 ? length : PIECE_LENGTH;
    let flags = 0;
    for (let at = 0; at < length; at += step)
      flags |= this.#sumPiece(mode, p, q, x, y, at, Math.min(step, length - at));
    this.begin();
    return flags;
  }

  /** Lists the sources in falling order of their exponents, as Q wants them, and runs over them. */
  #sumPiece(mode: number, p: number, q: number, x: number, y: number, at: number, length: number): number {
    const list = this.#list;
    const sums = this.#scratch + SUMS_AT;
    let start = NONE;
    let entry = 0;
    let slot = 0;
    let exponent = this.#exponentMost;
    for (let next = exponent; next >= this.#exponentLeast; next--) {
      for (let source = this.#lastOf[next]!; source !== NONE; source = this.#before[source]!) {
        let address = this.#offsets[source]! + at;
        const data = this.#outsideCount === 0 ? null : this.#outside[source]!;
        if (data !== null) {
          if (slot === SLOT_COUNT) {
            this.#run(STORE, entry, 0, start, sums, sums + PIECE_LENGTH, NONE, NONE, length);
            start = sums;
            entry = 0;
            slot = 0;
          }
          address = this.#copyIn(data, address, length, slot++);
        }
        list[2 * entry] = address;
        list[2 * entry + 1] = exponent - next;
        exponent = next;
        entry++;
      }
    }
    const tail = this.#count === 0 ? 0 : exponent;
    return this.#run(mode, entry, tail, start, from(p, at), from(q, at), from(x, at), from(y, at), length);
  }

  /** Source after source of each exponent is added to both parities. */
  #addPiece(p: number, q: number, at: number, length: number): void {
    for (let exponent = this.#exponentLeast; exponent <= this.#exponentMost; exponent++) {
      let entry = 0;
      let slot = 0;
      for (let source = this.#lastOf[exponent]!; source !== NONE; source = this.#before[source]!) {
        let address = this.#offsets[source]! + at;
        const data = this.#outsideCount === 0 ? null : this.#outside[source]!;
        if (data !== null) {
          if (slot === SLOT_COUNT) {
            this.#runAdd(entry, from(p, at), from(q, at), this.#tables.productsOf(exponent), length);
            entry = 0;
            slot = 0;
          }
          address = this.#copyIn(data, address, length, slot++);
        }
        this.#list[2 * entry++] = address;
      }
      if (entry > 0) this.#runAdd(entry, from(p, at), from(q, at), this.#tables.productsOf(exponent), length);
    }
  }

  /** Copies a piece of memory outside to a slot. Returns the address of that. */
  #copyIn(data: Uint8Array, offset: number, length: number, slot: number): number {
    const address = this.#scratch + SLOTS_AT + slot * PIECE_LENGTH;
    this.#slab.bytes.set(data.subarray(offset, offset + length), address);
    return address;
  }

  #runAdd(count: number, p: number, q: number, products: number, length: number): void {
    this.#addTo(this.#scratch + LIST_AT, count, p, q, products, this.#tables.address, length);
  }

  #run(
    mode: number,
    count: number,
    tail: number,
    start: number,
    p: number,
    q: number,
    x: number,
    y: number,
    length: number,
  ): number {
    const tables = this.#tables.address;
    const list = this.#scratch + LIST_AT;
    const sums = this.#scratch + SUMS_AT;
    return this.#pq(mode, list, count, tail, start, sums, p, q, x, y, tables, length);
  }
}

/** An address of a piece, where there is one. */
function from(address: number, at: number): number {
  return address === NONE ? NONE : address + at;
}

/** The kernel for `Slab.kernel`. */
export const PQ_KERNEL: Kernel<PqKernel> = {
  bytes: wasmBytes,
  scratchLength: SCRATCH_LENGTH,
  bind: (exports, scratchAddress, slab) => new PqKernel(exports, scratchAddress, slab),
};
