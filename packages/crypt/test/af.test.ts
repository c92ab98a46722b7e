import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeKey, splitKey } from "../src/key/af.ts";

const options = fc.record({
  stripes: fc.integer({ min: 1, max: 20 }),
  hash: fc.constantFrom("sha1", "sha256", "sha512", "ripemd160"),
});
const chance = (seed: number) => (bytes: Uint8Array) => {
  for (let at = 0; at < bytes.length; at++)
    bytes[at] = createHash("sha256").update(`${seed} ${at}`).digest()[0]!;
};

test("what was split is merged again, for any key length, stripes and hash", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), options, fc.nat(), (key, settings, seed) => {
      const split = splitKey(key, settings, chance(seed));
      expect(split.length).toBe(key.length * settings.stripes);
      expect(mergeKey(split, settings)).toEqual(key);
    }),
    { numRuns: 50 },
  );
});

test("one flipped bit anywhere in the split key changes the merged key", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index);
  const settings = { stripes: 7, hash: "sha256" };
  const split = splitKey(key, settings, chance(1));
  for (let bit = 0; bit < split.length * 8; bit += 13) {
    const damaged = split.slice();
    damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
    expect(mergeKey(damaged, settings)).not.toEqual(key);
  }
});

test("two stripes and a key of one digest follow the definition", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);
  const first = new Uint8Array(32).fill(0xa5);
  const split = splitKey(key, { stripes: 2, hash: "sha256" }, (bytes) => bytes.set(first));
  const digest = createHash("sha256").update(new Uint8Array(4)).update(first).digest();
  expect(split.subarray(0, 32)).toEqual(first);
  expect([...split.subarray(32)]).toEqual([...key].map((byte, index) => byte ^ digest[index]!));
});

test("a hash that is not to be had is refused by name", () => {
  const settings = { stripes: 2, hash: "no-such-hash" };
  expect(() => mergeKey(new Uint8Array(8), settings)).toThrow(
    expect.objectContaining({
      code: "CEV_UNKNOWN_FEATURE",
      message: expect.stringContaining("no-such-hash") as string,
    }),
  );
});
