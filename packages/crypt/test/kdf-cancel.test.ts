import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { argon2InWorker } from "../src/key/argon2-thread.ts";
import { deriveInProcess } from "../src/key/derive-in-process.ts";
import { costShare, deriveKey, KDF_LIMITS } from "../src/key/kdf.ts";

const salt = Buffer.from("somesaltsomesalt");
/** Minutes of work, each. */
const COSTLY = [
  { type: "argon2id", passes: 500, memoryKibibytes: 65_536, lanes: 2, salt },
  { type: "pbkdf2", hash: "sha256", iterations: 200_000_000, salt },
] as const;

/** Seconds of processor time that this process has used. A child of its own has ended before the derivation is given up. */
function processorSeconds(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
}

test.each(COSTLY)("$type is stopped when the signal fires, and uses no processor afterwards", async (kdf) => {
  const controller = new AbortController();
  const work = deriveKey(Buffer.from("x"), kdf, 32, controller.signal);
  // Long enough for the derivation to be under way, whatever it runs in.
  setTimeout(() => controller.abort(), 100);
  await expect(work).rejects.toMatchObject({ code: "CEV_CANCELLED" });
  const before = processorSeconds();
  await sleep(200);
  expect(processorSeconds() - before).toBeLessThan(0.15);
});

test("argon2 in a worker thread is stopped as well", async () => {
  const controller = new AbortController();
  const request = { ...COSTLY[0], memoryKibibytes: 4096, passphrase: Buffer.from("x"), length: 32 };
  const work = argon2InWorker(request, controller.signal);
  setTimeout(() => controller.abort(), 100);
  await expect(work).rejects.toMatchObject({ code: "CEV_CANCELLED" });
});

test("what is cheap is answered at once when the signal fires", async () => {
  const controller = new AbortController();
  const kdf = { type: "pbkdf2", hash: "sha256", iterations: 200_000, salt } as const;
  const work = deriveKey(Buffer.from("x"), kdf, 32, controller.signal);
  controller.abort();
  await expect(work).rejects.toMatchObject({ code: "CEV_CANCELLED" });
  await expect(deriveKey(Buffer.from("x"), kdf, 32, controller.signal)).rejects.toMatchObject({
    code: "CEV_CANCELLED",
  });
});

test.each([
  { type: "argon2id", passes: 1, memoryKibibytes: 64, lanes: 2, salt } as const,
  { type: "pbkdf2", hash: "sha1", iterations: 1000, salt } as const,
])("$type in a process of its own gives the same key, whatever the passphrase", async (kdf) => {
  const { signal } = new AbortController();
  const passphrases = ["", "with\0zero", "long".repeat(200)].map((text) => Buffer.from(text));
  // A key file of the largest size is a passphrase like any other.
  for (const passphrase of [...passphrases, Buffer.alloc(8 * 2 ** 20, 0x5a)]) {
    const key = await deriveInProcess({ ...kdf, length: 64 }, passphrase, signal);
    expect(Buffer.from(key)).toEqual(Buffer.from(await deriveKey(passphrase, kdf, 64)));
  }
});

test("shares of the limits are what derivations are added up by", () => {
  const argon2 = { type: "argon2id", passes: 4, memoryKibibytes: 1_048_576, lanes: 4, salt } as const;
  expect(costShare(argon2, KDF_LIMITS)).toBe(1 / 16);
  expect(costShare({ type: "pbkdf2", hash: "sha1", iterations: 25_000_000, salt }, KDF_LIMITS)).toBe(1 / 4);
});
