import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { argon2InWorker } from "../src/key/argon2-thread.ts";
import { deriveInProcess, derivingProgram, encodeRequest } from "../src/key/derive-in-process.ts";
import type { DerivingProgram } from "../src/key/derive-in-process.ts";
import { costShare, deriveKey, deriveStoppably, KDF_LIMITS } from "../src/key/kdf.ts";

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
  // A derivation that goes on uses all of a processor for minutes; what else this process does ends.
  const isBusy = async (): Promise<boolean> => {
    const before = processorSeconds();
    await sleep(200);
    return processorSeconds() - before >= 0.15;
  };
  while (await isBusy());
});

test("argon2 in a worker thread is stopped as well", async () => {
  const controller = new AbortController();
  const request = { ...COSTLY[0], memoryKibibytes: 4096, passphrase: Buffer.from("x"), length: 32 };
  const work = argon2InWorker(request, controller.signal);
  setTimeout(() => controller.abort(), 100);
  await expect(work).rejects.toMatchObject({ code: "CEV_CANCELLED" });
});

test("argon2 in a worker thread that does not get its memory is an error of the world", async () => {
  const request = { ...COSTLY[0], memoryKibibytes: 2 ** 23, passphrase: Buffer.from("x"), length: 32 };
  await expect(argon2InWorker(request)).rejects.toMatchObject({ code: "CEV_NO_MEMORY" });
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

describe("where no process can be had", () => {
  const { program, executable } = derivingProgram();
  const cheap = { type: "pbkdf2", hash: "sha256", iterations: 1000, salt, length: 32 } as const;
  const hosts: [name: string, host: DerivingProgram][] = [
    ["the executable is the application itself", { program, executable: null }],
    ["the executable is not there", { program, executable: "/nowhere/node" }],
    ["the program is not there, as after bundling", { program: `${program}.gone`, executable }],
    ["another program answers", { program: "--version", executable }],
  ];

  test.each(hosts)("(%s) the key is derived all the same", async (_name, host) => {
    const { signal } = new AbortController();
    const expected = await deriveKey(Buffer.from("x"), cheap, 32);
    const key = await deriveStoppably(cheap, Buffer.from("x"), signal, host);
    expect(Buffer.from(key)).toEqual(Buffer.from(expected));
  });

  test("without a descriptor left the key is derived all the same, and the program goes on", async () => {
    const url = JSON.stringify(new URL("../src/key/kdf.ts", import.meta.url).href);
    const script = `import { openSync } from "node:fs";
      import { deriveStoppably } from ${url};
      const derivation = { type: "pbkdf2", hash: "sha256", iterations: 10, salt: Buffer.alloc(8), length: 4 };
      try { for (;;) openSync("/dev/null", "r"); } catch {}
      const key = await deriveStoppably(derivation, Buffer.from("x"), new AbortController().signal);
      setImmediate(() => console.log(key.length));`;
    const args = [executable!, "--conditions=@cev/source", "--input-type=module", "--eval", script];
    const child = spawn("sh", ["-c", 'ulimit -n 64 && exec "$0" "$@"', ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [said, ended] = await Promise.all([once(child.stdout, "data"), once(child, "exit")]);
    expect([String(said[0]), ended[0]]).toEqual(["4\n", 0]);
  });

  test("the signal is answered at once", async () => {
    const controller = new AbortController();
    const slow = { ...cheap, iterations: 3_000_000 };
    const host = { program, executable: null };
    setTimeout(() => controller.abort(), 10);
    const work = deriveStoppably(slow, Buffer.from("x"), controller.signal, host);
    await expect(work).rejects.toMatchObject({ code: "CEV_CANCELLED" });
  });
});

test("a process that derives ends when whoever asked is gone", async () => {
  const { program, executable } = derivingProgram();
  const child = spawn(executable!, [program], { stdio: ["pipe", "pipe", "ignore"] });
  const derivation = { ...COSTLY[1], length: 32 };
  child.stdin.write(encodeRequest(derivation, Buffer.from("x")));
  await once(child.stdout, "data");
  child.stdin.destroy();
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
});

test("a program ends as soon as it has its key, and nothing keeps it", async () => {
  const url = JSON.stringify(new URL("../src/key/derive-in-process.ts", import.meta.url).href);
  const script = `import { deriveInProcess, derivingProgram, encodeRequest } from ${url};
    const derivation = { type: "pbkdf2", hash: "sha256", iterations: 10, salt: Buffer.alloc(8), length: 4 };
    const key = await deriveInProcess(derivation, Buffer.from("x"), new AbortController().signal);
    console.log(key.length);`;
  const args = ["--conditions=@cev/source", "--input-type=module", "--eval", script];
  const child = spawn(derivingProgram().executable!, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [said, ended] = await Promise.all([once(child.stdout, "data"), once(child, "exit")]);
  expect([String(said[0]), ended[0]]).toEqual(["4\n", 0]);
});

test("shares of the limits are what derivations are added up by", () => {
  const argon2 = { type: "argon2id", passes: 4, memoryKibibytes: 1_048_576, lanes: 4, salt } as const;
  expect(costShare(argon2, KDF_LIMITS)).toBe(1 / 16);
  expect(costShare({ type: "pbkdf2", hash: "sha1", iterations: 25_000_000, salt }, KDF_LIMITS)).toBe(1 / 4);
});
