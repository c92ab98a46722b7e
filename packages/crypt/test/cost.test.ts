import { environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { luksFormat, luksTestPassphrase } from "../src/index.ts";
import type { CostTarget, KeyCost } from "../src/index.ts";
import { unlockVolume } from "../src/header/unlock.ts";
import type { LuksVolume } from "../src/header/luks-volume.ts";
import { checkCostChoice, chooseCost, chooseDigestIterations } from "../src/key/cost.ts";
import { fitArgon2, fitPbkdf2 } from "../src/key/fit-cost.ts";
import { KDF_LIMITS } from "../src/key/kdf.ts";
import { memoryForKeys } from "../src/key/machine.ts";

const environment = environmentFrom(globalThis);
const GIB_KIB = 1024 * 1024;
const MIB = 2 ** 20;

/** Its clock goes on by ten seconds with each look at it. */
function slow(): typeof environment {
  let now = 0;
  const clock = { ...environment.clock, now: () => (now += 10_000) };
  return Object.assign(Object.create(environment) as typeof environment, { clock });
}

describe("argon2 fitted to a machine", () => {
  const target = { timeMs: 2000, memoryMax: GIB_KIB, lanes: 4, passesMin: 4 };

  /** A machine that goes through so many KiB in a millisecond. */
  const machine =
    (speed: number) =>
    (passes: number, memory: number): Promise<number> =>
      Promise.resolve((passes * memory) / speed);

  test("a fast one takes all the memory and then more passes, a slow one less memory and the fewest passes", async () => {
    expect(await fitArgon2(target, machine(10_000))).toMatchObject({ passes: 19, memory: GIB_KIB });
    expect(await fitArgon2(target, machine(1000))).toMatchObject({ passes: 4, memory: 500_000 });
    // Too slow for the least that is offered: that is taken all the same.
    expect(await fitArgon2(target, machine(10))).toMatchObject({ passes: 4, memory: 65_536 });
  });

  test("the time wanted is met wherever the bounds allow it, and they are never left", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        fc.integer({ min: 50, max: 10_000 }),
        fc.integer({ min: 32, max: 4 * GIB_KIB }),
        fc.integer({ min: 1, max: 4 }),
        async (speed, timeMs, memoryMax, lanes) => {
          const fit = await fitArgon2({ timeMs, memoryMax, lanes, passesMin: 4 }, machine(speed));
          const memoryMin = Math.max(Math.min(65_536, memoryMax), 8 * lanes);
          expect(fit.passes).toBeGreaterThanOrEqual(4);
          expect(fit.memory).toBeGreaterThanOrEqual(memoryMin);
          expect(fit.memory).toBeLessThanOrEqual(Math.max(memoryMax, memoryMin));
          const timeNow = (fit.passes * fit.memory) / speed;
          const isLeast = fit.passes === 4 && fit.memory === memoryMin;
          // One pass more or less may be more than the margin where there are few.
          const margin = 1 + 1 / fit.passes;
          expect(timeNow <= timeMs * 1.1 * margin || isLeast).toBe(true);
          expect(timeNow >= (timeMs * 0.95) / margin).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("a machine whose times jump about is left alone after a few rounds", async () => {
    let count = 0;
    const restless = (): Promise<number> => Promise.resolve(count++ % 2 === 0 ? 300 : 9000);
    await fitArgon2(target, restless);
    expect(count).toBeLessThan(40);
  });
});

test("pbkdf2 is measured until half a second, and told per second", async () => {
  for (const perMs of [5, 700, 8000, 100_000]) {
    const found = await fitPbkdf2((iterations) => Promise.resolve(iterations / perMs));
    expect(found / (perMs * 1000)).toBeCloseTo(1, 5);
  }
});

describe("the cost of a new key", () => {
  const machine = { memory: 200 * MIB, memoryFree: 199 * MIB, processors: 3 };
  const context = { environment: slow(), version: 2, hash: "sha512", keySize: 32, machine } as const;

  test("is measured by the environment's clock, within what the machine has", async () => {
    const cost = await chooseCost({ memoryKibibytesMax: 64 }, { ...context, environment: slow() });
    expect(cost).toEqual({ type: "argon2id", passes: 4, memoryKibibytes: 64, lanes: 3 });
    const first = await chooseCost({}, { ...context, version: 1, environment: slow() });
    // Half the machine's speed of 32,768 iterations in ten seconds, in two seconds.
    expect(first).toEqual({ type: "pbkdf2", hash: "sha512", iterations: 6553 });
  });

  test("never falls below what cryptsetup takes for safe", async () => {
    const least = { type: "pbkdf2", timeMs: 1 } as const;
    expect(await chooseCost(least, { ...context, environment: slow() })).toMatchObject({ iterations: 1000 });
  });

  test("that is given is taken as it is, and the digest costs the least then", async () => {
    const given: KeyCost = { type: "argon2i", passes: 4, memoryKibibytes: 32, lanes: 1 };
    expect(await chooseCost(given, context)).toBe(given);
    expect(await chooseDigestIterations(given, given, context)).toBe(1000);
  });

  test("of the digest is an eighth of a second, measured once where the keyslot has the same hash", async () => {
    const choice = { type: "pbkdf2", timeMs: 1000 } as const;
    const chosen = { type: "pbkdf2", hash: "sha512", iterations: 80_000 } as const;
    expect(await chooseDigestIterations(choice, chosen, context)).toBe(10_000);
    const other = await chooseDigestIterations({}, null, { ...context, environment: slow() });
    // 32,768 iterations in ten seconds.
    expect(other).toBe(1000);
  });

  test("stops to be measured when the signal fires", async () => {
    const controller = new AbortController();
    const onMeasured = (): void => controller.abort();
    const { signal } = controller;
    await expect(
      chooseCost({ type: "pbkdf2" }, { ...context, environment, signal, onMeasured }),
    ).rejects.toMatchObject({ code: "CEV_CANCELLED" });
  });

  test.each<[choice: KeyCost | CostTarget, version: 1 | 2]>([
    [{ type: "argon2id" }, 1],
    [{ type: "pbkdf2", hash: "sha256", iterations: 999 }, 2],
    [{ type: "argon2id", passes: 3, memoryKibibytes: 32, lanes: 1 }, 2],
    [{ type: "argon2id", passes: 4, memoryKibibytes: 31, lanes: 1 }, 2],
    [{ type: "argon2id", passes: 4, memoryKibibytes: 4 * GIB_KIB + 1, lanes: 1 }, 2],
    [{ type: "argon2id", passes: 4, memoryKibibytes: 32, lanes: 5 }, 2],
    [{ timeMs: 0 }, 2],
    [{ lanesMax: 5 }, 2],
    [{ memoryKibibytesMax: 1.5 }, 2],
    [{ type: "pbkdf2", lanesMax: 1 }, 2],
  ])("%j for LUKS%i is refused", (choice, version) => {
    expect(() => {
      checkCostChoice(choice, version);
    }).toThrow(expect.objectContaining({ code: "CEV_INVALID" }));
  });

  test("half the memory is left to others, on a small machine half of what is free", () => {
    const memory = (total: number, free: number): number =>
      memoryForKeys({ memory: total * MIB, memoryFree: free * MIB, processors: 1 }) / MIB;
    expect(memory(16_384, 100)).toBe(8192);
    expect(memory(2048, 1000)).toBe(500);
    expect(memory(2048, 100)).toBe(1024);
  });
});

describe("what a header may ask for in all", () => {
  const salt = new Uint8Array(32);
  const kdf = { type: "pbkdf2", hash: "sha256", iterations: 10_000_000, salt } as const;
  const area = { offset: 0, size: 262_144, encryption: "aes-xts-plain64", keySize: 64 };
  const volume: LuksVolume = {
    version: 2,
    uuid: "u",
    label: "",
    subsystem: "",
    keyslots: Array.from({ length: 32 }, (_, id) => ({
      ...{ id, keySize: 64, priority: "normal", stripes: 4000, splitHash: "sha256", area },
      kdf: { ...kdf, iterations: 1000 },
    })),
    digests: [{ id: 0, keyslots: [...Array(32).keys()], segments: [0], kdf, digest: new Uint8Array(32) }],
    segment: { offset: 0, size: null, ivTweak: 0, encryption: "aes-xts-plain64", sectorSize: 512 },
    tokens: [],
    flags: [],
  };
  let readCount = 0;
  const source = {
    name: "disk",
    size: 262_144,
    read: (_offset: number, length: number): Promise<Uint8Array> => {
      readCount++;
      return Promise.resolve(new Uint8Array(length));
    },
  };

  test("is bounded over all keyslots: the rest is not tried, and the error says how to allow it", async () => {
    // Each digest may cost three shares here, so two keyslots are tried and no more.
    const limits = { ...KDF_LIMITS, iterationsMax: 1000 };
    const cheap = { ...volume, digests: [{ ...volume.digests[0]!, kdf: { ...kdf, iterations: 999 } }] };
    readCount = 0;
    const work = unlockVolume(cheap, source, [new Uint8Array(1)], { limits });
    await expect(work).rejects.toMatchObject({
      code: "CEV_WRONG_KEY",
      message: expect.stringMatching(/28 of 32 keyslots were not tried.*kdfIterationsMax/) as string,
    });
    expect(readCount).toBe(4);
  });

  test("of one keyslot is not reckoned with the others'", async () => {
    const limits = { ...KDF_LIMITS, iterationsMax: 1000 };
    const cheap = { ...volume, digests: [{ ...volume.digests[0]!, kdf: { ...kdf, iterations: 999 } }] };
    readCount = 0;
    const work = unlockVolume(cheap, source, [new Uint8Array(1)], { limits, keyslot: 31 });
    await expect(work).rejects.toMatchObject({ code: "CEV_WRONG_KEY" });
    expect(readCount).toBe(1);
  });

  test("is told as it goes on", async () => {
    const cheap = {
      ...volume,
      keyslots: volume.keyslots.slice(0, 2),
      digests: [{ ...volume.digests[0]!, kdf: { ...kdf, iterations: 1000 } }],
    };
    const told: string[] = [];
    const onDerived = (done: number, total: number): void => void told.push(`${done}/${total}`);
    await unlockVolume(cheap, source, [new Uint8Array(1)], { limits: KDF_LIMITS, onDerived }).catch(() => 0);
    expect(told).toEqual(["1/2", "2/2"]);
  });
});

test("formatting measures, derives, wipes and writes, and says so", async () => {
  const lower = new MemoryLayer(environment, { size: MIB });
  const steps = new Set<string>();
  await luksFormat(lower, {
    environment: slow(),
    keys: [Buffer.from("k")],
    keySize: 32,
    dataOffset: MIB / 2,
    cost: { type: "pbkdf2", timeMs: 1 },
    onProgress: ({ step }) => void steps.add(step),
  });
  expect([...steps]).toEqual(["measure", "derive", "wipe"]);
  expect(await luksTestPassphrase(lower, { environment, keys: [Buffer.from("k")] })).toBe(0);
});
