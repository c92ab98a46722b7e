import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBlockTransform } from "../src/cipher/block-cipher.ts";
import { encryptSerpentBlock, encryptTwofishBlock } from "./plain-blocks.ts";
import { pseudoRandom } from "./pseudo-random.ts";

const plainOf = { serpent: encryptSerpentBlock, twofish: encryptTwofishBlock };

describe.each(["serpent", "twofish"] as const)("%s as a kernel", (cipher) => {
  const runs = fc.record({
    keySize: fc.constantFrom(16, 24, 32),
    blockCount: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(4096, 4097)),
    seed: fc.integer(),
  });

  test("encrypts as the plain implementation does, and decrypts what it encrypted, whatever the number of blocks", () => {
    fc.assert(
      fc.property(runs, ({ keySize, blockCount, seed }) => {
        const key = pseudoRandom(keySize, seed ^ 0x5555);
        const plain = pseudoRandom(16 * blockCount, seed);
        const encrypted = createBlockTransform(cipher, key, "ecb", "encrypt").update(plain);
        // Of many blocks the first and the last will do.
        const blocks =
          blockCount < 10 ? Array.from({ length: blockCount }, (_, index) => index) : [0, blockCount - 1];
        for (const block of blocks) {
          const expected = plainOf[cipher](key, plain.subarray(16 * block, 16 * block + 16));
          expect(Buffer.compare(encrypted.subarray(16 * block, 16 * block + 16), expected)).toBe(0);
        }
        const decrypted = createBlockTransform(cipher, key, "ecb", "decrypt").update(encrypted);
        expect(Buffer.compare(decrypted, plain)).toBe(0);
      }),
      { numRuns: 25 },
    );
  });

  test("decrypts a chain that goes on from call to call", () => {
    const key = pseudoRandom(32, 3);
    const plain = pseudoRandom(16 * 12, 4);
    const encrypted = new Uint8Array(plain.length);
    const block = createBlockTransform(cipher, key, "ecb", "encrypt");
    let last = new Uint8Array(16);
    for (let at = 0; at < plain.length; at += 16) {
      const input = plain.subarray(at, at + 16).map((byte, index) => byte ^ last[index]!);
      last = Uint8Array.from(block.update(input));
      encrypted.set(last, at);
    }
    const chain = createBlockTransform(cipher, key, "cbc", "decrypt");
    const parts = [0, 16, 16, 80, 192].map((start, index, starts) =>
      Buffer.from(chain.update(encrypted.subarray(start, starts[index + 1] ?? start)).toString("hex"), "hex"),
    );
    expect(Buffer.compare(Buffer.concat(parts), plain)).toBe(0);
  });
});
