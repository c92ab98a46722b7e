import { BufferPool } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { gfDouble, gfInverse, gfMultiply, gfPower } from "../src/kernels/galois-field.ts";
import { PQ_KERNEL } from "../src/kernels/pq-kernel.ts";
import type { PqKernel } from "../src/kernels/pq-kernel.ts";
import { multiplyIntoPlain, pqPlain, recoverOneQPlain, recoverTwoPlain } from "../src/kernels/pq-plain.ts";
import type { PqSource } from "../src/kernels/pq-plain.ts";

const pool = new BufferPool();

/** Products by the definition: polynomials multiplied and divided by 0x11d bit by bit. */
function product(a: number, b: number): number {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) if ((b >> bit) & 1) result ^= a << bit;
  for (let bit = 14; bit >= 8; bit--) if ((result >> bit) & 1) result ^= 0x11d << (bit - 8);
  return result;
}

function randomBytes(seed: number, length: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

interface SourcePlace {
  readonly isInside: boolean;
  readonly shift: number;
  readonly exponent: number;
}

const sourcePlace = (exponentMax: number): fc.Arbitrary<SourcePlace> =>
  fc.record({ isInside: fc.boolean(), shift: fc.nat(17), exponent: fc.nat(exponentMax) });
// Few units, and now and then more than one piece of what is copied through.
const lengths = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 12 }).map((units) => units * 128) },
  { weight: 1, arbitrary: fc.integer({ min: 31, max: 35 }).map((units) => units * 128) },
);

/** Memory for a kernel: sources inside and outside its slab, and buffers inside. */
class Field {
  readonly length: number;
  readonly sources: readonly PqSource[];
  readonly kernel: PqKernel;
  readonly #places: readonly SourcePlace[];
  readonly #lent: PoolBuffer[] = [];
  readonly #given: Uint8Array[];

  constructor(places: readonly SourcePlace[], length: number, seed: number) {
    this.length = length;
    this.#places = places;
    this.sources = places.map(({ exponent }, index) => ({
      exponent,
      data: randomBytes(seed + index, length),
    }));
    this.#given = places.map(({ isInside, shift }, index) => {
      const bytes = isInside ? this.buffer(length + shift).bytes : new Uint8Array(length + shift);
      bytes.set(this.sources[index]!.data, shift);
      return bytes;
    });
    this.kernel = this.buffer(length).slab.kernel(PQ_KERNEL);
  }

  /** Adds the sources that are not left out. */
  add(...leftOut: readonly number[]): void {
    this.kernel.begin();
    this.#places.forEach(({ shift, exponent }, index) => {
      if (!leftOut.includes(index)) this.kernel.add(this.#given[index]!, shift, exponent);
    });
  }

  buffer(length: number): PoolBuffer {
    const buffer = pool.acquire(length);
    this.#lent.push(buffer);
    return buffer;
  }

  holding(bytes: Uint8Array): PoolBuffer {
    const buffer = this.buffer(bytes.length);
    buffer.bytes.set(bytes);
    return buffer;
  }

  parities(): { p: Uint8Array; q: Uint8Array } {
    const p = new Uint8Array(this.length);
    const q = new Uint8Array(this.length);
    pqPlain(p, q, this.sources);
    return { p, q };
  }

  expectEqual(buffer: PoolBuffer, expected: Uint8Array): void {
    expect(Buffer.compare(buffer.bytes.subarray(0, expected.length), expected)).toBe(0);
  }

  /** Gives all memory back; no source was touched. */
  end(): void {
    this.#given.forEach((bytes, index) => {
      const { shift } = this.#places[index]!;
      expect(Buffer.compare(bytes.subarray(shift, shift + this.length), this.sources[index]!.data)).toBe(0);
    });
    for (const buffer of this.#lent) pool.release(buffer);
  }
}

describe("the field of RAID6", () => {
  it("multiplies as polynomials modulo 0x11d do", () => {
    const all = Array.from({ length: 256 }, (_, value) => value);
    for (const a of all) {
      expect(gfDouble(a)).toBe(product(a, 2));
      expect(all.map((b) => gfMultiply(a, b))).toEqual(all.map((b) => product(a, b)));
      if (a > 0) expect(product(a, gfInverse(a))).toBe(1);
    }
  });

  it("is made of the 255 powers of 2, and zero", () => {
    expect(new Set(Array.from({ length: 255 }, (_, exponent) => gfPower(2, exponent))).size).toBe(255);
    expect(gfPower(2, 255)).toBe(1);
  });
});

describe("the plain twin of the P+Q kernel", () => {
  test.prop([fc.array(fc.record({ value: fc.nat(255), exponent: fc.nat(254) }), { maxLength: 20 })])(
    "sums up the sources, and the sources times powers of 2",
    (bytes) => {
      const sources = bytes.map(({ value, exponent }) => ({ exponent, data: Uint8Array.of(value) }));
      const p = new Uint8Array(1);
      const q = new Uint8Array(1);
      pqPlain(p, q, sources);
      expect(p[0]).toBe(bytes.reduce((sum, { value }) => sum ^ value, 0));
      expect(q[0]).toBe(
        bytes.reduce((sum, { value, exponent }) => sum ^ product(value, gfPower(2, exponent)), 0),
      );
    },
  );
});

describe("the P+Q kernel", () => {
  test.prop([fc.array(sourcePlace(254), { maxLength: 14 }), lengths, fc.nat(), fc.nat(2)])(
    "computes what its plain twin does, wherever the sources lie, and either parity alone",
    (places, length, seed, wanted) => {
      const field = new Field(places, length, seed);
      const { p, q } = field.parities();
      const before = randomBytes(~seed, length);
      const pBuffer = field.holding(before);
      const qBuffer = field.holding(before);
      field.add();
      field.kernel.pqTo(wanted === 1 ? -1 : pBuffer.address, wanted === 2 ? -1 : qBuffer.address, length);
      field.expectEqual(pBuffer, wanted === 1 ? before : p);
      field.expectEqual(qBuffer, wanted === 2 ? before : q);
      field.end();
    },
  );

  test.prop([fc.array(sourcePlace(30), { minLength: 1, maxLength: 10 }), lengths, fc.nat()])(
    "changes parities by the old and the new data as if they were made anew",
    (places, length, seed) => {
      const field = new Field(places, length, seed);
      const { p, q } = field.parities();
      const pBuffer = field.holding(p);
      const qBuffer = field.holding(q);
      const changed = seed % places.length;
      const fresh = randomBytes(seed ^ 0x5555, length);
      const { data, exponent } = field.sources[changed]!;
      field.kernel.begin();
      field.kernel.add(data, 0, exponent);
      field.kernel.add(fresh, 0, exponent);
      field.kernel.pqInto(pBuffer.address, qBuffer.address, length);
      pqPlain(
        p,
        q,
        field.sources.map((source, index) => (index === changed ? { exponent, data: fresh } : source)),
      );
      field.expectEqual(pBuffer, p);
      field.expectEqual(qBuffer, q);
      field.end();
    },
  );

  test.prop([fc.array(sourcePlace(40), { maxLength: 14 }), lengths, fc.nat(), fc.nat(2)])(
    "adds any sources to parities, and to either alone",
    (places, length, seed, wanted) => {
      const field = new Field(places, length, seed);
      const { p, q } = field.parities();
      const before = randomBytes(~seed, length);
      const pBuffer = field.holding(before);
      const qBuffer = field.holding(before);
      field.add();
      field.kernel.pqInto(wanted === 1 ? -1 : pBuffer.address, wanted === 2 ? -1 : qBuffer.address, length);
      field.expectEqual(pBuffer, wanted === 1 ? before : p.map((byte, at) => byte ^ before[at]!));
      field.expectEqual(qBuffer, wanted === 2 ? before : q.map((byte, at) => byte ^ before[at]!));
      field.end();
    },
  );

  test.prop([fc.array(sourcePlace(254), { maxLength: 10 }), lengths, fc.nat(), fc.nat(3), fc.nat(3)])(
    "finds one wrong bit in either parity, and none where there is none",
    (places, length, seed, wrong, asked) => {
      const field = new Field(places, length, seed);
      const { p, q } = field.parities();
      if (wrong & 1) p[seed % length]! ^= 1 << (seed % 8);
      if (wrong & 2) q[seed % length]! ^= 1 << (seed % 8);
      const pBuffer = field.holding(p);
      const qBuffer = field.holding(q);
      field.add();
      const found = field.kernel.checkPq(
        asked & 1 ? pBuffer.address : -1,
        asked & 2 ? qBuffer.address : -1,
        length,
      );
      expect(found).toBe(wrong & asked);
      field.expectEqual(pBuffer, p);
      field.expectEqual(qBuffer, q);
      field.end();
    },
  );

  const stripe = fc
    .uniqueArray(sourcePlace(254), { minLength: 2, maxLength: 10, selector: ({ exponent }) => exponent })
    .chain((places) =>
      fc.record({
        places: fc.constant(places),
        lost: fc.uniqueArray(fc.nat(places.length - 1), { minLength: 2, maxLength: 2 }),
      }),
    );

  test.prop([stripe, lengths, fc.nat(), fc.boolean()], { numRuns: 50 })(
    "recovers one source from Q, and with it P",
    ({ places, lost }, length, seed, isInPlace) => {
      const field = new Field(places, length, seed);
      const { p, q } = field.parities();
      const { data, exponent } = field.sources[lost[0]!]!;
      const others = field.sources.filter((_, index) => index !== lost[0]);
      const plain = new Uint8Array(length);
      recoverOneQPlain(plain, q, exponent, others);
      expect(Buffer.compare(plain, data)).toBe(0);
      const qBuffer = field.holding(q);
      const target = isInPlace ? qBuffer : field.buffer(length);
      const pBuffer = field.buffer(length);
      field.add(lost[0]!);
      field.kernel.recoverOneQ(qBuffer.address, exponent, target.address, length, pBuffer.address);
      field.expectEqual(target, data);
      field.expectEqual(pBuffer, p);
      field.end();
    },
  );

  test.prop([stripe, lengths, fc.nat(), fc.boolean()], { numRuns: 50 })(
    "recovers two sources from P and Q",
    ({ places, lost }, length, seed, isInPlace) => {
      const field = new Field(places, length, seed);
      const { p, q } = field.parities();
      const [x, y] = lost.map((index) => field.sources[index]!) as [PqSource, PqSource];
      const others = field.sources.filter((source) => source !== x && source !== y);
      const plain = { x: new Uint8Array(length), y: new Uint8Array(length) };
      recoverTwoPlain({ p, q, ...plain, exponentX: x.exponent, exponentY: y.exponent }, others);
      expect(Buffer.compare(plain.x, x.data)).toBe(0);
      expect(Buffer.compare(plain.y, y.data)).toBe(0);
      const pBuffer = field.holding(p);
      const qBuffer = field.holding(q);
      const xBuffer = isInPlace ? qBuffer : field.buffer(length);
      const yBuffer = isInPlace ? pBuffer : field.buffer(length);
      field.add(...lost);
      field.kernel.recoverTwo(
        pBuffer.address,
        qBuffer.address,
        x.exponent,
        y.exponent,
        xBuffer.address,
        yBuffer.address,
        length,
      );
      field.expectEqual(xBuffer, x.data);
      field.expectEqual(yBuffer, y.data);
      field.end();
    },
  );

  test.prop([fc.nat(255), lengths, fc.nat()])(
    "adds a multiple of one range to another",
    (factor, length, seed) => {
      const field = new Field([], length, seed);
      const source = field.holding(randomBytes(seed, length));
      const target = field.holding(randomBytes(seed + 1, length));
      const expected = randomBytes(seed + 1, length);
      multiplyIntoPlain(expected, source.bytes.subarray(0, length), factor);
      field.kernel.multiplyInto(source.address, target.address, factor, length);
      field.expectEqual(target, expected);
      field.end();
    },
  );

  test.prop([lengths, fc.nat(), fc.nat(7)])("sees any single bit that is not zero", (length, seed, bit) => {
    const field = new Field([], length, seed);
    const buffer = field.holding(new Uint8Array(length));
    expect(field.kernel.isZero(buffer.address, length)).toBe(true);
    buffer.bytes[seed % length] = 1 << bit;
    expect(field.kernel.isZero(buffer.address, length)).toBe(false);
    field.end();
  });

  it("takes as many sources as a stripe of 255 data members has, old and new", () => {
    const places = Array.from({ length: 510 }, (_, index) => ({
      isInside: index % 3 > 0,
      shift: 0,
      exponent: index >> 1,
    }));
    const field = new Field(places, 256, 7);
    const { p, q } = field.parities();
    const pBuffer = field.buffer(256);
    const qBuffer = field.buffer(256);
    field.add();
    expect(() => field.kernel.add(p, 0, 0)).toThrow();
    field.kernel.pqTo(pBuffer.address, qBuffer.address, 256);
    field.expectEqual(pBuffer, p);
    field.expectEqual(qBuffer, q);
    field.end();
  });

  it("refuses what is no whole unit, and coefficients that are none", () => {
    const field = new Field([], 128, 1);
    const { address } = field.buffer(256);
    expect(() => field.kernel.pqTo(address, -1, 100)).toThrow();
    expect(() => field.kernel.multiplyInto(address, address, 1, 100)).toThrow();
    expect(() => field.kernel.isZero(address, 100)).toThrow();
    expect(() => field.kernel.add(new Uint8Array(128), 0, 255)).toThrow();
    expect(() => field.kernel.recoverTwo(address, address, 3, 3, address, address, 128)).toThrow();
    field.end();
  });
});
