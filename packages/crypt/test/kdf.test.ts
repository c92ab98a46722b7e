import crypto from "node:crypto";
import { ProgramError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { argon2InWorker } from "../src/key/argon2-thread.ts";
import { hasNativeArgon2 } from "../src/key/native-kdf.ts";
import { KDF_LIMITS, checkKdfCost, deriveKey } from "../src/key/kdf.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");

describe("pbkdf2", () => {
  test.each([
    // RFC 6070
    ["sha1", "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"],
    ["sha1", "password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"],
    ["sha1", "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"],
    [
      "sha1",
      "passwordPASSWORDpassword",
      "saltSALTsaltSALTsaltSALTsaltSALTsalt",
      4096,
      "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
    ],
    ["sha1", "pass\0word", "sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"],
    // RFC 7914, section 11
    [
      "sha256",
      "passwd",
      "salt",
      1,
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" +
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ],
    [
      "sha256",
      "Password",
      "NaCl",
      80_000,
      "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56" +
        "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    ],
  ])("%s of %j and %j, %i iterations, as published", async (hash, passphrase, salt, iterations, expected) => {
    const kdf = { type: "pbkdf2", hash, iterations, salt: bytes(salt) } as const;
    expect(hex(await deriveKey(bytes(passphrase), kdf, expected.length / 2))).toBe(expected);
  });
});

// Test vectors of the reference implementation, version 1.3, in one lane.
const ARGON2 = [
  ["argon2i", 2, 256, "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f"],
  ["argon2id", 2, 256, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"],
] as const;

describe.each(ARGON2)("%s, %i passes over %i KiB", (type, passes, memoryKibibytes, expected) => {
  const request = { passes, memoryKibibytes, lanes: 1, salt: bytes("somesalt") };

  test("by whatever this Node.js has, as published", async () => {
    expect(hex(await deriveKey(bytes("password"), { type, ...request }, 32))).toBe(expected);
  });

  test("in a worker thread, as published", async () => {
    const key = await argon2InWorker({ type, ...request, passphrase: bytes("password"), length: 32 });
    expect(hex(key)).toBe(expected);
  });
});

interface WithSecret {
  readonly argon2Sync?: (type: string, parameters: object) => Uint8Array;
}

// RFC 9106, sections 5.2 and 5.3. They have a secret and associated data, which LUKS has not: so they are asked of Node.js itself.
test.skipIf(!hasNativeArgon2).each([
  ["argon2i", "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"],
  ["argon2id", "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"],
])("the %s that is built in gives what RFC 9106 says", (type, expected) => {
  const fill = (length: number, value: number): Buffer => Buffer.alloc(length, value);
  const tag = (crypto as WithSecret).argon2Sync!(type, {
    message: fill(32, 1),
    nonce: fill(16, 2),
    secret: fill(8, 3),
    associatedData: fill(12, 4),
    parallelism: 4,
    tagLength: 32,
    memory: 32,
    passes: 3,
  });
  expect(hex(tag)).toBe(expected);
});

test("several lanes give the same in a worker thread as natively, also with less memory than lanes need", async () => {
  const kdf = {
    type: "argon2id",
    passes: 3,
    memoryKibibytes: 16,
    lanes: 4,
    salt: bytes("somesalt"),
  } as const;
  const inWorker = await argon2InWorker({ ...kdf, memoryKibibytes: 32, passphrase: bytes("x"), length: 64 });
  expect(hex(await deriveKey(bytes("x"), kdf, 64))).toBe(hex(inWorker));
});

test("what is no passphrase at all is an error of the program, not of the world", async () => {
  const kdf = { type: "pbkdf2", hash: "sha256", iterations: 1000, salt: bytes("somesalt") } as const;
  const nothing = undefined as unknown as Uint8Array;
  await expect(deriveKey(nothing, kdf, 32)).rejects.toBeInstanceOf(ProgramError);
});

test("an empty passphrase is refused by the worker thread, not a crash of it", async () => {
  const kdf = { type: "argon2i", passes: 1, memoryKibibytes: 64, lanes: 1, salt: bytes("somesalt") } as const;
  const request = { ...kdf, passphrase: new Uint8Array(0), length: 32 };
  await expect(argon2InWorker(request)).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
});

test("the event loop turns while a key is derived", async () => {
  for (const kdf of [
    { type: "argon2id", passes: 4, memoryKibibytes: 16_384, lanes: 1, salt: bytes("somesalt") } as const,
    { type: "pbkdf2", hash: "sha256", iterations: 200_000, salt: bytes("somesalt") } as const,
  ]) {
    let isDone = false;
    let turnCount = 0;
    const turn = (): void => {
      turnCount++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    await deriveKey(bytes("x"), kdf, 32);
    isDone = true;
    expect(turnCount).toBeGreaterThan(10);
  }
});

describe("the cost that a header asks for", () => {
  const salt = bytes("somesalt");

  test("what cryptsetup makes by itself is let through", () => {
    checkKdfCost({ type: "argon2id", passes: 9, memoryKibibytes: 1_048_576, lanes: 4, salt }, KDF_LIMITS);
    checkKdfCost({ type: "pbkdf2", hash: "sha256", iterations: 12_000_000, salt }, KDF_LIMITS);
  });

  test.each([
    [
      "--kdf-memory-max, which is kdfMemoryMax",
      { type: "argon2id", passes: 1, memoryKibibytes: 1_048_577, lanes: 1, salt } as const,
    ],
    [
      "--kdf-work-max, which is kdfWorkMax",
      { type: "argon2i", passes: 1_000_000, memoryKibibytes: 1024, lanes: 1, salt } as const,
    ],
    [
      "--kdf-iterations-max, which is kdfIterationsMax",
      { type: "pbkdf2", hash: "sha1", iterations: 0xffff_ffff, salt } as const,
    ],
  ])("more than %s is refused, and the option is named", (option, kdf) => {
    expect(() => checkKdfCost(kdf, KDF_LIMITS)).toThrow(
      expect.objectContaining({
        code: "CEV_NOT_SUPPORTED",
        place: expect.objectContaining({ hint: expect.stringContaining(option) as string }) as object,
      }),
    );
    const huge = Number.MAX_SAFE_INTEGER;
    checkKdfCost(kdf, { memoryMax: huge, workMax: huge, iterationsMax: huge });
  });
});
