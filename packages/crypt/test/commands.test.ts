import { MetadataError, environmentFrom } from "@cev/core";
import type { Layer } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { beforeAll, describe, expect, test } from "vitest";
import {
  benchmark,
  isLuks,
  luksAddKey,
  luksChangeKey,
  luksConvertKey,
  luksDump,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderLength,
  luksHeaderRestore,
  luksKillSlot,
  luksRemoveKey,
  luksTestPassphrase,
  luksVolumeKey,
} from "../src/index.ts";
import type { LuksFormatOptions } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const KIB = 1024;
const SIZE = 640 * KIB;
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const key = (text: string): Uint8Array => Buffer.from(text);
/** Areas of 64 KiB each. */
const SMALL = { encryption: "aes-cbc-plain64", keySize: 16, dataOffset: 600 * KIB, cost } as const;

async function formatted(version: 1 | 2, options: Partial<LuksFormatOptions> = {}): Promise<MemoryLayer> {
  const lower = new MemoryLayer(environment, { size: SIZE });
  await luksFormat(lower, { environment, keys: [key("a"), key("b")], version, ...SMALL, ...options });
  return lower;
}

/** Runs what is to be refused, and sees that nothing was written and nothing is held. */
async function refused(lower: MemoryLayer, code: string, work: () => Promise<unknown>): Promise<void> {
  const before = lower.bytes.slice();
  await expect(work()).rejects.toMatchObject({ code });
  expect(Buffer.compare(lower.bytes, before)).toBe(0);
  expect(lower.claims.count).toBe(0);
}

async function backupOf(lower: Layer): Promise<{
  name: string;
  size: number;
  read: (at: number, length: number) => Promise<Uint8Array>;
  bytes: Buffer;
}> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of luksHeaderBackup(lower, { environment })) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const read = (at: number, length: number): Promise<Uint8Array> =>
    Promise.resolve(Uint8Array.from(bytes.subarray(at, at + length)));
  return { name: "header.backup", size: bytes.length, read, bytes };
}

describe.each([1, 2] as const)("LUKS%i", (version) => {
  const opens = (lower: Layer, text: string, keyslot?: number): Promise<number> =>
    luksTestPassphrase(lower, {
      environment,
      keys: [key(text)],
      ...(keyslot === undefined ? {} : { keyslot }),
    });

  test("keys: what is not there, not right or the last one is refused, and nothing is written", async () => {
    const lower = await formatted(version);
    const add = { environment, newKey: key("n"), cost };
    const right = { ...add, keys: [key("a")] };
    await refused(lower, "CEV_WRONG_KEY", () => luksAddKey(lower, { ...add, keys: [key("x")] }));
    await refused(lower, "CEV_KEY_REQUIRED", () => luksAddKey(lower, add));
    await refused(lower, "CEV_WRONG_KEY", () => luksAddKey(lower, { ...right, keyslot: 1 }));
    await refused(lower, "CEV_INVALID", () => luksAddKey(lower, { ...right, newKeyslot: 1 }));
    await refused(lower, "CEV_INVALID", () => luksAddKey(lower, { ...right, newKeyslot: 32 }));
    await refused(lower, "CEV_WRONG_KEY", () => luksAddKey(lower, { ...add, volumeKey: new Uint8Array(16) }));
    await refused(lower, "CEV_INVALID", () => luksAddKey(lower, { ...add, volumeKey: new Uint8Array(17) }));
    await refused(lower, "CEV_WRONG_KEY", () => luksChangeKey(lower, { ...add, key: key("a"), keyslot: 1 }));
    await refused(lower, "CEV_INVALID", () => luksChangeKey(lower, { ...add, key: key("a"), keyslot: 7 }));
    await refused(lower, "CEV_WRONG_KEY", () => luksRemoveKey(lower, { environment, key: key("x") }));
    await refused(lower, "CEV_INVALID", () => luksKillSlot(lower, { environment, keyslot: 7 }));
    // The key of the keyslot that goes is no proof that another one opens.
    await refused(lower, "CEV_WRONG_KEY", () =>
      luksKillSlot(lower, { environment, keyslot: 1, keys: [key("b")] }),
    );
    await luksKillSlot(lower, { environment, keyslot: 1, keys: [key("a")] });
    await refused(lower, "CEV_INVALID", () => luksRemoveKey(lower, { environment, key: key("a") }));
    await refused(lower, "CEV_INVALID", () => luksKillSlot(lower, { environment, keyslot: 0 }));
    await refused(lower, "CEV_WRONG_KEY", () =>
      luksKillSlot(lower, { environment, keyslot: 0, keys: [key("b")], allowLast: true }),
    );
    await luksKillSlot(lower, { environment, keyslot: 0, keys: [key("a")], allowLast: true });
    await expect(opens(lower, "a")).rejects.toMatchObject({ code: "CEV_WRONG_KEY" });
  });

  test("what the signal ends before anything is written ends without a trace", async () => {
    const lower = await formatted(version);
    const backup = await backupOf(lower);
    const { signal } = { signal: AbortSignal.abort() };
    const both = { environment, signal };
    const add = { ...both, newKey: key("n"), cost };
    await refused(lower, "CEV_CANCELLED", () => luksFormat(lower, { ...SMALL, ...both, keys: [key("z")] }));
    await refused(lower, "CEV_CANCELLED", () => luksAddKey(lower, { ...add, keys: [key("a")] }));
    await refused(lower, "CEV_CANCELLED", () => luksChangeKey(lower, { ...add, key: key("a") }));
    await refused(lower, "CEV_CANCELLED", () => luksRemoveKey(lower, { ...both, key: key("a") }));
    await refused(lower, "CEV_CANCELLED", () => luksKillSlot(lower, { ...both, keyslot: 0 }));
    await refused(lower, "CEV_CANCELLED", () => luksErase(lower, both));
    await refused(lower, "CEV_CANCELLED", () => luksHeaderRestore(lower, { ...both, backup }));
    await refused(lower, "CEV_CANCELLED", () => luksTestPassphrase(lower, { ...both, keys: [key("a")] }));
  });

  test("the keys that were given stay as they were, and the volume key is had by every passphrase", async () => {
    const volumeKey = new Uint8Array(16).fill(9);
    const [first, second, third] = ["a", "b", "n"].map(key);
    const lower = await formatted(version, { keys: [first!, second!], volumeKey });
    await luksAddKey(lower, { environment, keys: [first!], newKey: third!, cost });
    await luksConvertKey(lower, { environment, key: second!, cost: { ...cost, iterations: 1234 } });
    for (const passphrase of [first!, second!, third!]) {
      const found = await luksVolumeKey(lower, { environment, keys: [passphrase] });
      expect(found.volumeKey).toEqual(volumeKey);
    }
    expect([first, second, third].map(String)).toEqual(["a", "b", "n"]);
    expect([...volumeKey]).toEqual(Array.from({ length: 16 }, () => 9));
    const { keyslots } = await luksDump(lower, { environment });
    expect(JSON.stringify(keyslots)).toContain("1234");
  });

  test("a header is recognised, of its version alone", async () => {
    const lower = await formatted(version);
    expect(await isLuks(lower, { environment })).toBe(true);
    expect(await isLuks(lower, { environment, version })).toBe(true);
    expect(await isLuks(lower, { environment, version: version === 1 ? 2 : 1 })).toBe(false);
    // The hash of LUKS1; behind the checksum's name of LUKS2, of which the second copy goes as well.
    for (const at of [72, 16_384 + 4096]) lower.bytes.fill(0x21, at, at + 32);
    await expect(isLuks(lower, { environment, version })).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
    const blank = new MemoryLayer(environment, { size: SIZE });
    expect(await isLuks(blank, { environment })).toBe(false);
    await expect(luksDump(blank, { environment })).rejects.toBeInstanceOf(MetadataError);
    await refused(blank, "CEV_BAD_METADATA", () => luksErase(blank, { environment }));
  });

  test("a backup restores a device whose header is gone, when it is said to be the right one", async () => {
    const lower = await formatted(version);
    const backup = await backupOf(lower);
    lower.bytes.fill(0, 0, 64 * KIB);
    await refused(lower, "CEV_INVALID", () => luksHeaderRestore(lower, { environment, backup }));
    await luksHeaderRestore(lower, { environment, backup, allowForeign: true });
    expect(await opens(lower, "b")).toBe(1);
    expect(Buffer.compare(lower.bytes.subarray(0, backup.size), backup.bytes)).toBe(0);
  });

  test("a backup of another device, of another layout, or in part is refused", async () => {
    const lower = await formatted(version);
    const backup = await backupOf(lower);
    const other = await formatted(version);
    await refused(other, "CEV_INVALID", () => luksHeaderRestore(other, { environment, backup }));
    await luksHeaderRestore(other, { environment, backup, allowForeign: true });
    expect(await opens(other, "a")).toBe(0);
    const moved = await formatted(version, { dataOffset: 604 * KIB });
    await refused(moved, "CEV_INVALID", () =>
      luksHeaderRestore(moved, { environment, backup, allowForeign: true }),
    );
    const part = { ...backup, size: backup.size - 4096 };
    await refused(lower, "CEV_BAD_METADATA", () =>
      luksHeaderRestore(lower, { environment, backup: part, allowForeign: true }),
    );
    const small = new MemoryLayer(environment, { size: backup.size - 4096 });
    await refused(small, "CEV_INVALID", () =>
      luksHeaderRestore(small, { environment, backup, allowForeign: true }),
    );
  });

  test("a backup takes the place of the other version when that is asked for, and nothing of it stays", async () => {
    const lower = await formatted(version === 1 ? 2 : 1);
    const backup = await backupOf(await formatted(version));
    await refused(lower, "CEV_INVALID", () => luksHeaderRestore(lower, { environment, backup }));
    await luksHeaderRestore(lower, { environment, backup, allowForeign: true });
    expect(await isLuks(lower, { environment, version })).toBe(true);
    expect(await opens(lower, "a")).toBe(0);
  });

  test("a backup of the other version whose data begins elsewhere is refused, whoever asks", async () => {
    const lower = await formatted(version);
    const other = await formatted(version === 1 ? 2 : 1, { dataOffset: 608 * KIB });
    const backup = await backupOf(other);
    await refused(lower, "CEV_INVALID", () =>
      luksHeaderRestore(lower, { environment, backup, allowForeign: true }),
    );
  });

  test("the data of a detached header is left alone", async () => {
    const shape = { version, encryption: "aes-xts-plain64", keySize: 32 } as const;
    const lower = new MemoryLayer(environment, { size: luksHeaderLength(shape) });
    const data = new MemoryLayer(environment, { size: 64 * KIB });
    await luksFormat(lower, { ...shape, environment, keys: [key("k")], cost, data });
    expect(data.log).toEqual([]);
    expect(await opens(lower, "k")).toBe(0);
    expect(lower.claims.count + data.claims.count).toBe(0);
    const behind = new MemoryLayer(environment, { size: lower.limits.size + 64 * KIB });
    const options = { ...shape, environment, keys: [key("k")], cost };
    const dataOffset = lower.limits.size + 32 * KIB;
    await luksFormat(lower, { ...options, data: behind, dataOffset });
    expect(await opens(lower, "k")).toBe(0);
    await refused(lower, "CEV_INVALID", () => luksFormat(lower, { ...options, data, dataOffset }));
    await expect(luksFormat(lower, { ...options, data, dataOffset })).rejects.toThrow(
      /nothing is left for data/,
    );
    const larger = new MemoryLayer(environment, { size: behind.limits.size, blockSize: 4096 });
    await luksFormat(larger, { ...options, data: behind, dataOffset: dataOffset + 512 });
    expect(await opens(larger, "k")).toBe(0);
  });

  test("a UUID that was given in capitals is written in small letters, as others look for it", async () => {
    const uuid = "ABCDEF01-2222-4333-8444-555555555555";
    const lower = await formatted(version, { uuid });
    expect(await luksDump(lower, { environment })).toMatchObject({ uuid: uuid.toLowerCase() });
  });

  test("a device of blocks of 4 KiB is written in whole blocks", async () => {
    const lower = new MemoryLayer(environment, { size: SIZE, blockSize: 4096 });
    await luksFormat(lower, { environment, keys: [key("a")], version, ...SMALL });
    await luksAddKey(lower, { environment, keys: [key("a")], newKey: key("b"), cost });
    expect(await luksRemoveKey(lower, { environment, key: key("a") })).toBe(0);
    expect(await opens(lower, "b")).toBe(1);
    const backup = await backupOf(lower);
    await luksHeaderRestore(lower, { environment, backup });
    expect(await opens(lower, "b")).toBe(1);
  });
});

describe("LUKS2", () => {
  test("a key that opens no data has a keyslot and a digest of its own, which go together", async () => {
    const lower = await formatted(2);
    const own = { key: new Uint8Array(5).fill(3) };
    const keyslot = await luksAddKey(lower, { environment, newKey: key("own"), unbound: own, cost });
    const all = { environment, keys: [key("own")], keyslot };
    await expect(luksVolumeKey(lower, all)).rejects.toMatchObject({
      code: "CEV_INVALID",
      message: `the key in keyslot ${keyslot} opens no data`,
    });
    const found = await luksVolumeKey(lower, { ...all, allowUnbound: true });
    expect(found.volumeKey).toEqual(own.key);
    expect(await luksChangeKey(lower, { environment, key: key("own"), newKey: key("mine"), cost })).toBe(
      keyslot,
    );
    const dump = await luksDump(lower, { environment });
    expect(dump).toMatchObject({ digests: [{ id: 0 }, { id: 1, keyslots: [keyslot], segments: [] }] });
    await luksErase(lower, { environment });
    expect(await luksDump(lower, { environment })).toMatchObject({
      keyslots: [{ id: keyslot, isUnbound: true }],
    });
    await luksKillSlot(lower, { environment, keyslot });
    expect(await luksDump(lower, { environment })).toMatchObject({ digests: [{ id: 0 }] });
  });

  test("the sector size is the device's physical block size where data and device are whole multiples", async () => {
    for (const [size, dataOffset, expected] of [
      [SIZE, 600 * KIB, 4096],
      [SIZE + 512, 600 * KIB, 512],
      [SIZE, 600 * KIB + 512, 512],
    ] as const) {
      const lower = new MemoryLayer(environment, { size });
      Object.defineProperty(lower, "limits", { value: { ...lower.limits, physicalBlockSize: 4096 } });
      await luksFormat(lower, { environment, keys: [key("k")], ...SMALL, dataOffset });
      expect(await luksDump(lower, { environment })).toMatchObject({ segments: [{ sectorSize: expected }] });
    }
  });
});

describe("a benchmark", () => {
  let results: Awaited<ReturnType<typeof benchmark>> | null = null;
  const told: string[] = [];
  beforeAll(async () => {
    let now = 0;
    const clock = { ...environment.clock, now: () => (now += 1000) };
    const fast = Object.assign(Object.create(environment) as typeof environment, { clock });
    results = await benchmark({
      environment: fast,
      kdfs: [
        { type: "pbkdf2", hash: "sha1" },
        { type: "pbkdf2", hash: "gost" },
        { type: "argon2id", memoryKibibytesMax: 32, timeMs: 1000 },
      ],
      ciphers: [
        { cipher: "aes-xts", keySize: 64 },
        { cipher: "nothing-cbc", keySize: 16 },
      ],
      onResult: ({ kind }) => void told.push(kind),
    });
  });

  test("tells what each takes, and of what is not known here that it is not", () => {
    const { kdfs, ciphers } = results!;
    expect(kdfs.map(({ cost: found }) => found)).toEqual([
      { type: "pbkdf2", hash: "sha1", iterations: 32_768 },
      null,
      { type: "argon2id", passes: 4, memoryKibibytes: 32, lanes: expect.any(Number) as number },
    ]);
    expect(ciphers).toMatchObject([
      { cipher: "aes-xts", encrypted: 2 ** 20, decrypted: 2 ** 20 },
      { cipher: "nothing-cbc", encrypted: null, decrypted: null },
    ]);
    expect(told).toEqual(["kdf", "kdf", "kdf", "cipher", "cipher"]);
  });
});
