import { createCipheriv, createHash } from "node:crypto";
import { BufferPool } from "@cev/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isOpensslCipher } from "../src/cipher/block-cipher.ts";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import type { CipherSpec } from "../src/cipher/cipher-spec.ts";
import { transformPlain } from "../src/cipher/plain-cipher.ts";
import { createSectorCipher } from "../src/cipher/sector-cipher.ts";
import type { UnitRun } from "../src/cipher/unit-run.ts";
import { pseudoRandom } from "./pseudo-random.ts";

const CIPHERS = ["aes", "camellia", "aria", "sm4", "serpent", "twofish"] as const;
const MODES = ["xts", "lrw", "cbc", "ctr", "ecb"] as const;
const IVS = ["plain", "plain64", "plain64be", "benbi", "null", "essiv:sha256", "essiv:md5"] as const;

const specs = fc
  .record({
    cipher: fc.constantFrom(...CIPHERS),
    mode: fc.constantFrom(...MODES),
    iv: fc.constantFrom(...IVS),
    keyLength: fc.constantFrom(16, 24, 32),
  })
  .filter(({ cipher, iv, keyLength }) => cipher !== "sm4" || (keyLength === 16 && iv !== "essiv:sha256"))
  .map(({ cipher, mode, iv, keyLength }) => ({
    encryption: mode === "ecb" ? `${cipher}-ecb` : `${cipher}-${mode}-${iv}`,
    keySize: { xts: 2 * keyLength, lrw: keyLength + 16, cbc: keyLength, ctr: keyLength, ecb: keyLength }[
      mode
    ],
  }));

const runs = fc.record({
  spec: specs,
  unitLength: fc.constantFrom(512, 1024, 2048, 4096),
  hasLargeIvs: fc.boolean(),
  // Of few units, of many, and across the pieces of 64 KiB and of 256 units in which they are worked on.
  unitCount: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
    { weight: 4, arbitrary: fc.integer({ min: 10, max: 140 }) },
    { weight: 1, arbitrary: fc.integer({ min: 250, max: 300 }) },
  ),
  sector: fc.oneof(
    fc.nat(100),
    fc.integer({ min: 2 ** 32 - 300, max: 2 ** 32 }),
    fc.nat({ max: 2 ** 31 - 1 }).map((number) => number * 2 ** 15),
  ),
  place: fc.constantFrom("own memory", "same slab", "other slab"),
  dataOffset: fc.constantFrom(0, 1, 16, 513),
  seed: fc.integer(),
});

/** OpenSSL's own chaining, one unit at a time, with the IV by the book. */
function byOpenssl(
  encryption: string,
  spec: CipherSpec,
  key: Uint8Array,
  data: Uint8Array,
  units: UnitRun,
): Buffer {
  const bits = key.length * 8;
  const name = spec.cipher === "sm4" ? `sm4-${spec.mode}` : `${spec.cipher}-${bits}-${spec.mode}`;
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; at += units.unitLength) {
    const sector = BigInt(units.sector + (at / units.unitLength) * units.sectorStep);
    const iv = spec.mode === "ecb" ? null : ivByTheBook(encryption, spec, key, sector);
    const cipher = createCipheriv(name, key, iv);
    cipher.setAutoPadding(false);
    parts.push(cipher.update(data.subarray(at, at + units.unitLength)));
  }
  return Buffer.concat(parts);
}

function ivByTheBook(encryption: string, spec: CipherSpec, key: Uint8Array, sector: bigint): Buffer {
  const iv = Buffer.alloc(16);
  const name = encryption.split("-")[2]!;
  const [kind, hash] = name.split(":");
  if (kind === "plain") iv.writeUInt32LE(Number(sector % 2n ** 32n));
  if (kind === "plain64" || kind === "essiv") iv.writeBigUInt64LE(sector);
  if (kind === "plain64be") iv.writeBigUInt64BE(sector, 8);
  // Narrow blocks of 16 bytes, 32 in a sector; to the kernel a stream cipher's blocks are single bytes.
  if (kind === "benbi")
    iv.writeBigUInt64BE((sector * (spec.mode === "ctr" ? 512n : 32n) + 1n) % 2n ** 64n, 8);
  if (hash === undefined) return iv;
  const salt = createHash(hash).update(key).digest();
  const ecb = spec.cipher === "sm4" ? "sm4-ecb" : `${spec.cipher}-${salt.length * 8}-ecb`;
  return createCipheriv(ecb, salt, null).update(iv);
}

test("the kernels, the plain implementation and OpenSSL agree, whatever the cipher and wherever the memory lies", () => {
  const pool = new BufferPool({ slabLength: 4 * 1024 * 1024 });
  fc.assert(
    fc.property(
      runs,
      ({ spec: text, unitLength, hasLargeIvs, unitCount, sector, place, dataOffset, seed }) => {
        const spec = parseCipher(text.encryption, text.keySize);
        const key = pseudoRandom(text.keySize, seed ^ 0x5555);
        const length = unitCount * unitLength;
        const plain = pseudoRandom(length, seed);
        const units = { unitLength, sectorStep: hasLargeIvs ? 1 : unitLength / 512, sector };
        const expected = plain.slice();
        transformPlain("encrypt", spec, key, expected, units);
        if (isOpensslCipher(spec.cipher) && spec.mode !== "xts" && spec.mode !== "lrw")
          expect(byOpenssl(text.encryption, spec, key, plain, units).equals(expected)).toBe(true);

        const cipher = createSectorCipher(spec, key, pool, units);
        cipher.open();
        const target = pool.acquire(length);
        const spare = pool.acquire(dataOffset + length);
        // Two pools never share a slab.
        const stranger = new BufferPool({ slabLength: 4 * 1024 * 1024 });
        const memory =
          place === "own memory"
            ? new Uint8Array(dataOffset + length)
            : (place === "same slab" ? spare : stranger.acquire(dataOffset + length)).bytes;
        memory.set(plain, dataOffset);
        cipher.encrypt(sector, memory, dataOffset, length, target);
        expect(Buffer.compare(target.bytes.subarray(0, length), expected)).toBe(0);
        expect(Buffer.compare(memory.subarray(dataOffset, dataOffset + length), plain)).toBe(0);

        memory.set(expected, dataOffset);
        cipher.decrypt(sector, memory, dataOffset, length);
        expect(Buffer.compare(memory.subarray(dataOffset, dataOffset + length), plain)).toBe(0);
        transformPlain("decrypt", spec, key, expected, units);
        expect(Buffer.compare(expected, plain)).toBe(0);
        pool.release(target);
        pool.release(spare);
        cipher.close();
      },
    ),
    { numRuns: 80 },
  );
  expect(pool.bytesLent).toBe(0);
});

test.each([
  "aes-cbc-essiv:sha256",
  "aes-ctr-plain64",
  "aes-ecb",
  "aes-xts-plain64",
  "aes-lrw-benbi",
  "serpent-cbc-plain64",
])("a cipher in %s that has served other requests still gives the same", (encryption) => {
  const pool = new BufferPool({ slabLength: 4 * 1024 * 1024 });
  const key = pseudoRandom(32, 7);
  const spec = parseCipher(encryption, key.length);
  const cipher = createSectorCipher(spec, key, pool, { unitLength: 512, sectorStep: 1 });
  cipher.open();
  const requests = fc.array(
    fc.record({
      sector: fc.nat(2 ** 20),
      unitCount: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 30, max: 150 })),
      isWrite: fc.boolean(),
    }),
    { minLength: 2, maxLength: 12 },
  );
  fc.assert(
    fc.property(requests, (sequence) => {
      for (const { sector, unitCount, isWrite } of sequence) {
        const plain = pseudoRandom(unitCount * 512, sector);
        const encrypted = plain.slice();
        transformPlain("encrypt", spec, key, encrypted, { unitLength: 512, sectorStep: 1, sector });
        const target = pool.acquire(plain.length);
        if (isWrite) {
          cipher.encrypt(sector, plain, 0, plain.length, target);
          expect(Buffer.compare(target.bytes.subarray(0, plain.length), encrypted)).toBe(0);
        } else {
          target.bytes.set(encrypted);
          cipher.decrypt(sector, target.bytes, 0, plain.length);
          expect(Buffer.compare(target.bytes.subarray(0, plain.length), plain)).toBe(0);
        }
        pool.release(target);
      }
    }),
    { numRuns: 12 },
  );
  cipher.close();
  expect(pool.bytesLent).toBe(0);
});
