import fc from "fast-check";
import { createWhirlpool, pbkdf2, whirlpool } from "hash-wasm";
import { expect, test } from "vitest";
import { digest, hashLength } from "../src/key/hash.ts";
import { deriveKey } from "../src/key/kdf.ts";
import { whirlpoolPbkdf2 } from "../src/key/whirlpool-pbkdf2.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

// ISO/IEC 10118-3, test vectors.
test.each([
  [
    "",
    "19fa61d75522a4669b44e39c1d2e1726c530232130d407f89afee0964997f7a7" +
      "3e83be698b288febcf88e3e03c4f0757ea8964e59b63d93708b138cc42a66eb3",
  ],
  [
    "abc",
    "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c" +
      "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5",
  ],
])("whirlpool of %j, as published", (text, expected) => {
  expect(hex(digest("whirlpool", Buffer.from(text)))).toBe(expected);
});

test("whirlpool of any bytes is another implementation's", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      expect(hex(digest("whirlpool", bytes))).toBe(await whirlpool(bytes));
    }),
  );
});

test("the kernel's shorter names are its beginning", () => {
  const whole = hex(digest("wp512", Buffer.from("abc")));
  for (const [name, length] of [
    ["wp384", 48],
    ["wp256", 32],
  ] as const) {
    expect(hex(digest(name, Buffer.from("abc")))).toBe(whole.slice(0, 2 * length));
    expect(hashLength(name)).toBe(length);
  }
});

test("keys are derived with it as another implementation does, in a worker, and stopped", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 150 }),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 150 }),
      async (passphrase, salt, iterations, length) => {
        const hashFunction = createWhirlpool();
        const expected = await pbkdf2({
          password: passphrase,
          salt,
          iterations,
          hashLength: length,
          hashFunction,
        });
        expect(hex(whirlpoolPbkdf2({ passphrase, salt, iterations, length }))).toBe(expected);
      },
    ),
    { numRuns: 50 },
  );
  const kdf = { type: "pbkdf2", hash: "whirlpool", iterations: 3, salt: Buffer.from("salt") } as const;
  const inWorker = await deriveKey(Buffer.from("x"), kdf, 32);
  const here = whirlpoolPbkdf2({ ...kdf, passphrase: Buffer.from("x"), length: 32 });
  expect(hex(inWorker)).toBe(hex(here));
  const controller = new AbortController();
  const work = deriveKey(Buffer.from("x"), { ...kdf, iterations: 50_000_000 }, 32, controller.signal);
  setTimeout(() => controller.abort(), 100);
  await expect(work).rejects.toMatchObject({ code: "CEV_CANCELLED" });
});
