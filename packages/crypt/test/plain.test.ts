import { createHash } from "node:crypto";
import { Device, environmentFrom, isCevError } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openPlain } from "../src/index.ts";
import type { OpenPlainOptions } from "../src/index.ts";
import { digest as digestOf } from "../src/key/hash.ts";
import { hashPlainPassphrase } from "../src/plain/plain-key.ts";

const environment = environmentFrom(globalThis);
const KIB = 1024;
const passphrase = Buffer.from("correct horse");
const digest = (name: string, text: string): string => createHash(name).update(text).digest("hex");
const hashed = (hash: string, keySize: number, text = "correct horse"): string =>
  Buffer.from(hashPlainPassphrase(Buffer.from(text), hash, keySize)).toString("hex");

describe("the key of a passphrase", () => {
  test("is the digest's beginning where the key is shorter", () => {
    expect(hashed("sha256", 16)).toBe(digest("sha256", "correct horse").slice(0, 32));
  });

  test("goes on with digests of one more letter A each where the key is longer", () => {
    const pieces = ["", "A", "AA", "AAA"].map((more) => digest("ripemd160", `${more}correct horse`));
    expect(hashed("ripemd160", 64)).toBe(pieces.join("").slice(0, 128));
  });

  test("is made by every hash that LUKS has, also where it is not OpenSSL's", () => {
    const whirlpool = (text: string): string =>
      Buffer.from(digestOf("whirlpool", Buffer.from(text))).toString("hex");
    expect(hashed("whirlpool", 100)).toBe(
      (whirlpool("correct horse") + whirlpool("Acorrect horse")).slice(0, 200),
    );
  });

  test("is filled up with zeroes behind the length that the hash names", () => {
    expect(hashed("sha256:16", 32)).toBe(digest("sha256", "correct horse").slice(0, 32) + "00".repeat(16));
    expect(hashed("sha1:30", 32)).toBe(
      (digest("sha1", "correct horse") + digest("sha1", "Acorrect horse")).slice(0, 60) + "0000",
    );
  });

  test("is the passphrase itself where the hash is plain: cut, or filled up with zeroes", () => {
    expect(hashed("plain", 4)).toBe(Buffer.from("corr").toString("hex"));
    expect(hashed("plain", 16)).toBe(Buffer.from("correct horse\0\0\0").toString("hex"));
    expect(hashed("plain:2", 4)).toBe(Buffer.from("co\0\0").toString("hex"));
  });

  test.each([
    ["sha256:33", "CEV_INVALID"],
    ["sha256:0", "CEV_INVALID"],
    ["sha256:", "CEV_INVALID"],
    ["SHA 256", "CEV_INVALID"],
    ["plain:14", "CEV_INVALID"],
    ["tiger", "CEV_UNKNOWN_FEATURE"],
  ])("cannot be had with the hash %s: %s", (hash, code) => {
    expect(() => hashed(hash, 32)).toThrow(expect.objectContaining({ code }));
  });
});

type Settings = Omit<OpenPlainOptions, "environment">;
const SETTINGS = { cipher: "aes-xts-plain64", keySize: 32, hash: "sha256" };

function lowerOf(size = 64 * KIB, logicalBlockSize = 512): MemoryLayer {
  return new MemoryLayer(environment, { size, blockSize: logicalBlockSize });
}

function codeOf(settings: Partial<Settings>, lower = lowerOf()): string {
  try {
    openPlain(lower, { environment, passphrase, ...SETTINGS, ...settings });
    return "opened";
  } catch (error) {
    if (!isCevError(error)) throw error;
    return error.code;
  }
}

describe("settings", () => {
  test.each<[string, Partial<Settings>]>([
    ["no cipher", { cipher: "" }],
    ["no whole key size", { keySize: 32.5 }],
    ["a negative offset", { offset: -512 }],
    ["an offset within a sector", { offset: 100 }],
    ["an offset at the device's end", { offset: 64 * KIB }],
    ["an offset past every number", { offset: 2 ** 53 }],
    ["a size of nothing", { size: 0 }],
    ["a size within a sector", { size: 4096 + 512, sectorSize: 4096 }],
    ["a size past the device's end", { offset: 32 * KIB, size: 32 * KIB + 512 }],
    ["a skip within a sector", { skip: 512, sectorSize: 4096 }],
    ["a skip past every number", { skip: 2 ** 53 }],
    ["a sector of 8192", { sectorSize: 8192 }],
    ["a sector of 513", { sectorSize: 513 }],
    ["a rest that is no whole sector", { offset: 512, sectorSize: 4096 }],
    ["a passphrase and a key", { key: Buffer.alloc(32) }],
    ["a passphrase that nothing hashes", { hash: null }],
    ["a key file shorter than the key", { passphrase: undefined, key: Buffer.alloc(31) }],
  ])("%s: CEV_INVALID", (_, settings) => {
    expect(codeOf(settings)).toBe("CEV_INVALID");
  });

  test("data that begins within a block of the device below: CEV_INVALID", () => {
    expect(codeOf({ offset: 512 }, lowerOf(64 * KIB, 4096))).toBe("CEV_INVALID");
    expect(codeOf({ offset: 4096 }, lowerOf(64 * KIB, 4096))).toBe("opened");
  });

  test("no key at all: CEV_KEY_REQUIRED; a cipher or a key of a size that is not known: CEV_UNKNOWN_FEATURE", () => {
    expect(codeOf({ passphrase: undefined })).toBe("CEV_KEY_REQUIRED");
    expect(codeOf({ cipher: "rot13-xts-plain64" })).toBe("CEV_UNKNOWN_FEATURE");
    expect(codeOf({ keySize: 33 })).toBe("CEV_UNKNOWN_FEATURE");
  });

  test("nothing of a passphrase is in an error", () => {
    try {
      openPlain(lowerOf(), { environment, ...SETTINGS, passphrase, hash: "plain:100", keySize: 64 });
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toContain(
        "horse",
      );
    }
  });
});

describe("the device", () => {
  async function contentOf(lower: MemoryLayer, settings: Partial<Settings>): Promise<Uint8Array> {
    const layer = openPlain(lower, { environment, passphrase, ...SETTINGS, ...settings });
    await using device = await Device.open(layer, environment, { isReadOnly: true });
    return await device.read(0, device.size);
  }

  async function write(lower: MemoryLayer, settings: Partial<Settings>, data: Uint8Array): Promise<void> {
    const layer = openPlain(lower, { environment, passphrase, ...SETTINGS, ...settings });
    await using device = await Device.open(layer, environment);
    await device.write(0, data);
  }

  const data = Uint8Array.from({ length: 16 * KIB }, (_, index) => index % 253);

  test("is the range that offset and size name, and nothing beside it is written", async () => {
    const lower = lowerOf();
    await write(lower, { offset: 8 * KIB, size: 16 * KIB }, data);
    expect(await contentOf(lower, { offset: 8 * KIB, size: 16 * KIB })).toEqual(data);
    expect(lower.bytes.subarray(0, 8 * KIB).every((byte) => byte === 0)).toBe(true);
    expect(lower.bytes.subarray(24 * KIB).every((byte) => byte === 0)).toBe(true);
  });

  test("is another one with another skip: what is skipped counts as being before it", async () => {
    const lower = lowerOf(32 * KIB);
    await write(lower, { size: 16 * KIB }, data);
    const tail = await contentOf(lower, { offset: 4 * KIB, size: 12 * KIB, skip: 4 * KIB });
    expect(tail).toEqual(data.subarray(4 * KIB));
    expect(await contentOf(lower, { offset: 4 * KIB, size: 12 * KIB })).not.toEqual(data.subarray(4 * KIB));
  });

  test("counts large sectors where it is told to: then the first of them are those of a skip of as many", async () => {
    const lower = lowerOf(16 * KIB);
    await write(lower, { sectorSize: 4096, largeIvs: true, skip: 8 * 4096 }, data);
    // Sector 8 of 4096 bytes has the vector that sector 8 of 512 bytes would have.
    const first = await contentOf(lower, { sectorSize: 4096, size: 4096, skip: 8 * 512 });
    expect(first).toEqual(data.subarray(0, 4096));
    expect(await contentOf(lower, { sectorSize: 4096, skip: 8 * 4096 })).not.toEqual(data);
  });

  test("takes the beginning of a key file as it is, and leaves the caller's keys as they were", async () => {
    const key = Buffer.from(Uint8Array.from({ length: 100 }, (_, index) => index + 1));
    const before = [key.toString("hex"), passphrase.toString("hex")];
    const lower = lowerOf(16 * KIB);
    await write(lower, { passphrase: undefined, key }, data);
    expect(
      await contentOf(lower, { passphrase: undefined, key: Uint8Array.from(key.subarray(0, 32)) }),
    ).toEqual(data);
    await contentOf(lower, {});
    expect([key.toString("hex"), passphrase.toString("hex")]).toEqual(before);
  });

  test("is in cbc with plain vectors where the cipher is named without a mode, as in dm-crypt", async () => {
    const lower = lowerOf(16 * KIB);
    await write(lower, { cipher: "aes" }, data);
    expect(await contentOf(lower, { cipher: "aes-cbc-plain" })).toEqual(data);
  });

  test("refuses discards unless they are allowed, and writes where it is read-only", () => {
    const support = (more: Partial<Settings>) =>
      openPlain(lowerOf(), { environment, passphrase, ...SETTINGS, ...more }).support;
    expect(support({}).discard).toBe("none");
    expect(support({ allowDiscards: true }).discard).toBe("native");
    expect(support({ isReadOnly: true }).write).toBe("none");
  });
});
