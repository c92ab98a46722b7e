import { assert } from "@cev/core";
import type { Kernel, Slab, WasmExports } from "@cev/core";
import { gfDouble, pairFactors, singleFactor } from "./galois-field.ts";
import { wasmBytes } from "./pq.generated.ts";

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
const ADD = 1;
const CHECK = 2;
const RECOVER_ONE = 3;
const RECOVER_TWO = 4;

// One table of 32 bytes for each of two factors.
const TABLE_LENGTH = 32;
const TABLES_AT = 0;
// And behind them 16 bytes each of these.
const CONSTANTS = [0, 0x1d, 0x0f];
const LIST_AT = 2 * TABLE_LENGTH + 16 * CONSTANTS.length;
// Room for both sums of a piece.
const SUMS_AT = LIST_AT + SOURCES_MAX * ENTRY_LENGTH;
const SLOTS_AT = SUMS_AT + 2 * PIECE_LENGTH;
const SCRATCH_LENGTH = SLOTS_AT + SLOT_COUNT * PIECE_LENGTH;

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
  readonly #multiplyAdd: (source: number, target: number, tables: number, length: number) => unknown;
  readonly #isZero: (address: number, length: number) => unknown;
  readonly #slab: Slab;
  /** `slab.memory.buffer`, which costs a call each time that it is asked for. */
  readonly #memory: ArrayBufferLike;
  readonly #scratch: number;
  readonly #list: Int32Array;
  readonly #tables: Uint8Array;
  /** By place in the scratch, the factor whose table stands there. */
  readonly #factors: Int32Array = new Int32Array(2).fill(NONE);
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
    this.#multiplyAdd = exports["multiplyAdd"]!;
    this.#isZero = exports["isZero"]!;
    this.#slab = slab;
    this.#memory = slab.memory.buffer;
    this.#scratch = scratchAddress;
    this.#list = new Int32Array(this.#memory, scratchAddress + LIST_AT, (SOURCES_MAX * ENTRY_LENGTH) / 4);
    this.#tables = new Uint8Array(this.#memory, scratchAddress + TABLES_AT, LIST_AT - TABLES_AT);
    CONSTANTS.forEach((value, index) => {
      const start = 2 * TABLE_LENGTH + 16 * index;
      this.#tables.fill(value, start, start + 16);
    });
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
    this.#sum(ADD, p, q, NONE, NONE, length);
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
    this.#setTable(0, singleFactor(exponentLost));
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
    this.#setTable(0, factors.q);
    this.#setTable(1, factors.p);
    this.#sum(RECOVER_TWO, p, q, targetX, targetY, length);
  }

  /** Adds the bytes at `source`, each times `factor`, to those at `target`. Takes no sources. */
  multiplyInto(source: number, target: number, factor: number, length: number): void {
    assert(length % UNIT_LENGTH === 0, "parity is made of whole units of 128 bytes");
    this.#setTable(0, factor);
    this.#multiplyAdd(source, target, this.#scratch + TABLES_AT, length);
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
          const slotAddress = this.#scratch + SLOTS_AT + slot++ * PIECE_LENGTH;
          this.#slab.bytes.set(data.subarray(address, address + length), slotAddress);
          address = slotAddress;
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
    const tables = this.#scratch + TABLES_AT;
    const list = this.#scratch + LIST_AT;
    const sums = this.#scratch + SUMS_AT;
    return this.#pq(mode, list, count, tail, start, sums, p, q, x, y, tables, length);
  }

  /** The products of a factor with 0 to 15, and with 16 times these. */
  #setTable(place: number, factor: number): void {
    if (this.#factors[place] === factor) return;
    this.#factors[place] = factor;
    const table = this.#tables;
    let multiple = factor;
    for (let start = place * TABLE_LENGTH; start < (place + 1) * TABLE_LENGTH; start += 16) {
      table[start] = 0;
      for (let bit = 1; bit < 16; bit *= 2) {
        for (let rest = 0; rest < bit; rest++) table[start + bit + rest] = table[start + rest]! ^ multiple;
        multiple = gfDouble(multiple);
      }
    }
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
