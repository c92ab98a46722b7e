import { createCipheriv } from "node:crypto";
import { BufferPool } from "@cev/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import type { CipherSpec } from "../src/cipher/cipher-spec.ts";
import { transformPlain } from "../src/cipher/plain-cipher.ts";
import { loadEvp } from "../src/cipher/ffi/evp.ts";
import { FfiTransform } from "../src/cipher/ffi/ffi-transform.ts";
import { XtsCipher } from "../src/cipher/xts.ts";

// Where this Node.js has no `node:ffi` there is one backend.
const foreign = loadEvp();
const BACKENDS = [
  { backend: "node:crypto", evp: null },
  ...(foreign === null ? [] : [{ backend: "node:ffi", evp: foreign }]),
];

const hex = (text: string): Uint8Array => Buffer.from(text, "hex");
const specOf = (key: Uint8Array): CipherSpec => parseCipher("aes-xts-plain64", key.length);
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index & 0xff);

/** IEEE 1619-2007, annex B: key 1, key 2, data unit number, plaintext, ciphertext (its beginning, where it is long). */
const VECTORS = [
  {
    name: "vector 1",
    key: "00".repeat(32),
    sector: 0,
    plain: new Uint8Array(32),
    cipher: "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e",
  },
  {
    name: "vector 2",
    key: "11".repeat(16) + "22".repeat(16),
    sector: 0x3333333333,
    plain: new Uint8Array(32).fill(0x44),
    cipher: "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
  },
  {
    name: "vector 3",
    key: "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0" + "22".repeat(16),
    sector: 0x3333333333,
    plain: new Uint8Array(32).fill(0x44),
    cipher: "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89",
  },
  {
    name: "vector 4",
    key: "2718281828459045235360287471352631415926535897932384626433832795",
    sector: 0,
    plain: counting(512),
    cipher: "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c",
  },
  {
    name: "vector 10",
    key:
      "2718281828459045235360287471352662497757247093699959574966967627" +
      "3141592653589793238462643383279502884197169399375105820974944592",
    sector: 0xff,
    plain: counting(512),
    cipher: "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b",
  },
];

describe.each(VECTORS)("IEEE 1619 $name", ({ key, sector, plain, cipher }) => {
  test("comes out of the plain implementation, and goes back in", () => {
    const data = plain.slice();
    const units = { sector, sectorStep: 1, unitLength: plain.length };
    transformPlain("encrypt", specOf(hex(key)), hex(key), data, units);
    expect(Buffer.from(data.subarray(0, 32)).toString("hex")).toBe(cipher);
    transformPlain("decrypt", specOf(hex(key)), hex(key), data, units);
    expect(data).toEqual(plain);
  });
});

describe.each(
  VECTORS.filter(({ plain }) => plain.length === 512).flatMap((vector) =>
    BACKENDS.map((backend) => ({ ...vector, ...backend })),
  ),
)("IEEE 1619 $name, through $backend", ({ key, sector, plain, cipher, evp }) => {
  test("comes out of the kernel, and goes back in", () => {
    const pool = new BufferPool();
    const xts = new XtsCipher(specOf(hex(key)), hex(key), pool, { unitLength: 512, sectorStep: 1, evp });
    xts.open();
    const target = pool.acquire(512);
    xts.encrypt(sector, plain, 0, 512, target);
    expect(Buffer.from(target.bytes.subarray(0, 32)).toString("hex")).toBe(cipher);
    xts.decrypt(sector, target.bytes, 0, 512);
    expect(target.bytes).toEqual(plain);
  });
});

/** OpenSSL's own XTS, one call per unit. */
function opensslXts(
  key: Uint8Array,
  data: Uint8Array,
  sector: number,
  step: number,
  unitLength: number,
): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, unit = sector; at < data.length; at += unitLength, unit += step) {
    const iv = Buffer.alloc(16);
    iv.writeBigUInt64LE(BigInt(unit));
    const cipher = createCipheriv(key.length === 32 ? "aes-128-xts" : "aes-256-xts", key, iv);
    parts.push(cipher.update(data.subarray(at, at + unitLength)));
  }
  return Buffer.concat(parts);
}

const requests = fc
  .record({
    keyLength: fc.constantFrom(32, 64),
    unitLength: fc.constantFrom(512, 1024, 2048, 4096),
    // Around the chunks of 64 KiB, and around groups of four chains.
    unitCount: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 14, max: 300 })),
    sector: fc.oneof(
      fc.nat(100),
      fc.integer({ min: 2 ** 32 - 300, max: 2 ** 32 }),
      fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 2 ** 15),
    ),
    source: fc.constantFrom("own memory", "same slab", "other slab"),
    dataOffset: fc.constantFrom(0, 1, 16, 513),
    seed: fc.integer(),
  })
  .map((request) => ({ ...request, length: request.unitCount * request.unitLength }));

function pseudoRandom(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let at = 0; at < length; at++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

test.each(BACKENDS)(
  "the kernel, the plain implementation and OpenSSL agree, wherever the memory lies: through $backend",
  ({ evp }) => {
    // Small slabs, so that buffers fall into different ones.
    const pool = new BufferPool({ slabLength: 4 * 1024 * 1024 });
    fc.assert(
      fc.property(requests, ({ keyLength, unitLength, length, sector, source, dataOffset, seed }) => {
        const key = pseudoRandom(keyLength, seed ^ 0x5555);
        const plain = pseudoRandom(length, seed);
        const sectorStep = unitLength / 512;
        const xts = new XtsCipher(specOf(key), key, pool, { unitLength, sectorStep, evp });
        xts.open();
        const target = pool.acquire(length);
        const spare = pool.acquire(dataOffset + length);
        // Two pools never share a slab.
        const stranger = new BufferPool({ slabLength: 4 * 1024 * 1024 });
        const memory =
          source === "own memory"
            ? new Uint8Array(dataOffset + length)
            : (source === "same slab" ? spare : stranger.acquire(dataOffset + length)).bytes;
        memory.set(plain, dataOffset);
        xts.encrypt(sector, memory, dataOffset, length, target);
        const expected = opensslXts(key, plain, sector, sectorStep, unitLength);
        expect(expected.equals(target.bytes.subarray(0, length))).toBe(true);
        expect(Buffer.from(plain).equals(memory.subarray(dataOffset, dataOffset + length))).toBe(true);

        const twin = plain.slice();
        transformPlain("encrypt", specOf(key), key, twin, { sector, sectorStep, unitLength });
        expect(expected.equals(twin)).toBe(true);

        memory.set(expected, dataOffset);
        xts.decrypt(sector, memory, dataOffset, length);
        expect(Buffer.from(plain).equals(memory.subarray(dataOffset, dataOffset + length))).toBe(true);
        pool.release(target);
        pool.release(spare);
        xts.close();
      }),
      { numRuns: 60 },
    );
    expect(pool.bytesLent).toBe(0);
  },
);

test.each(BACKENDS)(
  "a cipher that has served other requests, near and far, still gives the same: through $backend",
  ({ evp }) => {
    const far = 2 ** 20;
    const runs = fc.record({
      unitLength: fc.constantFrom(512, 4096),
      residue: fc.nat(7),
      requests: fc.array(
        fc.record({
          // Across the borders of windows of tweaks, and into places of the cache that are taken already.
          unit: fc.oneof(
            fc.nat(100),
            fc.nat(3).map((times) => 32 * 16_384 * times + 16),
            fc.nat(far),
          ),
          unitCount: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 30, max: 40 })),
        }),
        { minLength: 2, maxLength: 20 },
      ),
    });
    const pool = new BufferPool({ slabLength: 4 * 1024 * 1024 });
    const key = pseudoRandom(64, 7);
    fc.assert(
      fc.property(runs, ({ unitLength, residue, requests: sequence }) => {
        const sectorStep = unitLength / 512;
        const xts = new XtsCipher(specOf(key), key, pool, { unitLength, sectorStep, evp });
        xts.open();
        for (const { unit, unitCount } of sequence) {
          const plain = pseudoRandom(unitCount * unitLength, unit);
          const sector = residue + unit * sectorStep;
          const data = plain.slice();
          transformPlain("encrypt", specOf(key), key, data, { sector, sectorStep, unitLength });
          xts.decrypt(sector, data, 0, data.length);
          expect(Buffer.from(data).equals(plain)).toBe(true);
        }
        xts.close();
      }),
      { numRuns: 30 },
    );
  },
);

test("streams of long requests, also several in turn, get the tweaks of their own place", () => {
  const pool = new BufferPool({ slabLength: 4 * 1024 * 1024 });
  const key = pseudoRandom(64, 11);
  const request = fc.record({
    stream: fc.nat(2),
    unitCount: fc.oneof(fc.constant(128), fc.integer({ min: 33, max: 600 })),
    skippedCount: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: -700, max: 700 })),
    isWrite: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 4, maxLength: 12 }),
      fc.constantFrom(1, 8),
      (sequence, sectorStep) => {
        const xts = new XtsCipher(specOf(key), key, pool, { unitLength: 512, sectorStep });
        xts.open();
        const ends = [10_000, 2 ** 33, 10_100];
        for (const { stream, unitCount, skippedCount, isWrite } of sequence) {
          const sector = ends[stream]! + skippedCount * sectorStep;
          ends[stream] = sector + unitCount * sectorStep;
          const plain = pseudoRandom(unitCount * 512, sector);
          const expected = opensslXts(key, plain, sector, sectorStep, 512);
          const target = pool.acquire(plain.length);
          if (isWrite) {
            xts.encrypt(sector, plain, 0, plain.length, target);
            expect(expected.equals(target.bytes.subarray(0, plain.length))).toBe(true);
          } else {
            target.bytes.set(expected);
            xts.decrypt(sector, target.bytes, 0, plain.length);
            expect(Buffer.from(plain).equals(target.bytes.subarray(0, plain.length))).toBe(true);
          }
          pool.release(target);
        }
        xts.close();
      },
    ),
    { numRuns: 25 },
  );
});

test.skipIf(foreign === null)(
  "a block cipher through node:ffi is the one of node:crypto, and keeps within its memory",
  () => {
    const key = pseudoRandom(32, 9);
    const evp = foreign!;
    expect(FfiTransform.isRight(evp)).toBe(true);
    expect(FfiTransform.create(evp, "no-such-cipher", key, "encrypt")).toBeNull();
    const own = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
    const encrypt = FfiTransform.create(evp, "aes-256-ecb", key, "encrypt")!;
    const decrypt = FfiTransform.create(evp, "aes-256-ecb", key, "decrypt")!;
    const plain = pseudoRandom(4096, 3);
    const expected = own.update(plain);
    expect(encrypt.update(plain).equals(expected)).toBe(true);
    expect(Buffer.from(plain).equals(decrypt.update(expected))).toBe(true);
    expect(encrypt.update(new Uint8Array(0))).toHaveLength(0);
    const { slab, address } = new BufferPool().acquire(4096);
    slab.bytes.set(plain, address);
    encrypt.inPlace(slab.bytes, address + 512, 1024);
    expect(expected.subarray(512, 1536).equals(slab.bytes.subarray(address + 512, address + 1536))).toBe(
      true,
    );
    expect(slab.bytes.subarray(address + 1536, address + 4096)).toEqual(plain.subarray(1536));
    for (const [at, length] of [
      [-16, 16],
      [slab.bytes.length - 16, 32],
      [0, 15],
      [0, 0],
      [Number.NaN, 16],
    ] as const)
      expect(() => encrypt.inPlace(slab.bytes, at, length)).toThrow("no range of blocks");
  },
);

test("without such functions, or with ones that do something else, there is no backend to be had", () => {
  const pretender = {
    functions: {
      EVP_CIPHER_fetch: () => 1n,
      EVP_CIPHER_free: () => undefined,
      EVP_CIPHER_CTX_new: () => 1n,
      EVP_CIPHER_CTX_free: () => undefined,
      EVP_CIPHER_CTX_set_padding: () => 1,
      EVP_CipherInit_ex: () => 1,
      EVP_CipherUpdate: () => 1,
    },
    addressOf: () => 0n,
  };
  expect(FfiTransform.isRight(pretender)).toBe(false);
});
