import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import { transformWithIvs } from "../src/cipher/plain-cipher.ts";
import { pseudoRandom } from "./pseudo-random.ts";

const MASK = (1n << 128n) - 1n;
const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const toBytes = (number: bigint): Buffer => Buffer.from(number.toString(16).padStart(32, "0"), "hex");

/** The product in GF(2^128), bit by bit. */
function multiply(left: bigint, right: bigint): bigint {
  let product = 0n;
  for (let bit = 127n; bit >= 0n; bit--) {
    product <<= 1n;
    if (product > MASK) product = (product & MASK) ^ 0x87n;
    if (((right >> bit) & 1n) === 1n) product ^= left;
  }
  return product;
}

test("each block is encrypted between two XORs with the key times its number, across every carry", () => {
  const numbers = fc.oneof(
    fc.bigInt(0n, MASK),
    // Ends in ones, so that the count carries, at last into nothing.
    fc.nat(128).map((ones) => ((1n << BigInt(ones)) - 1n) & ~1n),
  );
  fc.assert(
    fc.property(numbers, fc.integer(), (first, seed) => {
      const key = pseudoRandom(48, seed);
      const plain = pseudoRandom(128, seed ^ 1);
      const spec = parseCipher("aes-lrw-null", 48);
      const data = plain.slice();
      transformWithIvs("encrypt", spec, key, data, toBytes(first));
      for (let block = 0; block < 8; block++) {
        const tweak = multiply(toNumber(key.subarray(32)), (first + BigInt(block)) & MASK);
        const ecb = createCipheriv("aes-256-ecb", key.subarray(0, 32), null);
        const input = toBytes(toNumber(plain.subarray(16 * block, 16 * block + 16)) ^ tweak);
        const expected = toBytes(toNumber(ecb.update(input)) ^ tweak);
        expect(Buffer.compare(data.subarray(16 * block, 16 * block + 16), expected)).toBe(0);
      }
      transformWithIvs("decrypt", spec, key, data, toBytes(first));
      expect(Buffer.compare(data, plain)).toBe(0);
    }),
    { numRuns: 80 },
  );
});
