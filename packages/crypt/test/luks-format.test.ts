import { environmentFrom, isCevError } from "@cev/core";

import { CutRecorder, MemoryLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { luksAddKey, luksFormat, openLuks } from "../src/index.ts";
import type { LuksFormatOptions } from "../src/index.ts";
import { jsonOf, putJson } from "./luks2-image.ts";
import type { Metadata } from "./luks2-image.ts";

const KIB = 1024;
const SIZE = 1024 * KIB;
const environment = environmentFrom(globalThis);
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const key = (text: string): Uint8Array => Buffer.from(text);

/** A small device, formatted for two keys of 256 bits unless told otherwise. */
async function formatted(options: Partial<LuksFormatOptions> = {}): Promise<MemoryLayer> {
  const lower = new MemoryLayer(environment, { size: SIZE });
  const keys = [key("first"), key("second")];
  await luksFormat(lower, { environment, keys, keySize: 32, dataOffset: 512 * KIB, cost, ...options });
  return lower;
}

/** The keyslot that a key opens, and the problems that were reported; or the code of the error. */
async function attempt(
  image: Uint8Array,
  text: string,
): Promise<{ keyslotId: number; problems: string[] } | string> {
  const lower = new MemoryLayer(environment, { size: image.length, contents: image });
  const problems: string[] = [];
  try {
    const report = (problem: string): void => void problems.push(problem);
    const { keyslotId } = await openLuks(lower, { environment, keys: [key(text)], report });
    return { keyslotId, problems };
  } catch (error) {
    if (!isCevError(error)) throw error;
    return error.code;
  }
}

/** Runs something on a disk that loses its power after each request in turn, and hands out what is then left. */
async function eachCut(
  contents: Uint8Array,
  work: (lower: PowerCutLayer) => Promise<unknown>,
  check: (image: Uint8Array) => Promise<void>,
): Promise<Uint8Array> {
  const lower = new PowerCutLayer(environment, { size: contents.length, contents });
  const policies = ["none", "sectors", "sectors"] as const;
  const random = new Random(7);
  const recorder = new CutRecorder([lower], { random, policies, isDistinct: true, context: () => null });
  await work(lower);
  recorder.record();
  recorder.stop();
  const images = recorder.states.flatMap((state) => state.images);
  expect(recorder.momentCount).toBeGreaterThan(3);
  for (const image of images) await check(image);
  return lower.contents;
}

describe("luksFormat", () => {
  test("keyslots are not encrypted in the kernel's own notation, which cryptsetup takes for data alone", async () => {
    const encryption = "capi:xts(aes)-plain64";
    const lower = await formatted({ encryption, keys: [key("first")] });
    await luksAddKey(lower, { environment, keys: [key("first")], newKey: key("second"), cost });
    const { volume } = await openLuks(lower, { environment, keys: [key("second")] });
    expect(volume.segment.encryption).toBe(encryption);
    expect(volume.keyslots.map(({ area }) => area.encryption)).toEqual([
      "aes-xts-plain64",
      "aes-xts-plain64",
    ]);
  });

  test.each<[name: string, options: Partial<LuksFormatOptions>]>([
    ["AES-128, sectors of 512", {}],
    [
      "AES-256, sectors of 4096, sha512",
      { keySize: 64, sectorSize: 4096, hash: "sha512", dataOffset: 640 * KIB },
    ],
    [
      "argon2id, a label",
      { cost: { type: "argon2id", passes: 4, memoryKibibytes: 64, lanes: 2 }, label: "größe" },
    ],
    ["argon2i, sha1", { cost: { type: "argon2i", passes: 4, memoryKibibytes: 64, lanes: 1 }, hash: "sha1" }],
  ])("%s: each key opens its keyslot, and no other does", async (_name, options) => {
    const { bytes } = await formatted(options);
    expect(await attempt(bytes, "first")).toEqual({ keyslotId: 0, problems: [] });
    expect(await attempt(bytes, "second")).toEqual({ keyslotId: 1, problems: [] });
    expect(await attempt(bytes, "third")).toBe("CEV_WRONG_KEY");
  });

  test("the digest is as long as its hash, for others compare it that way", async () => {
    for (const [hash, length] of [
      ["sha1", 20],
      ["sha512", 64],
    ] as const) {
      const json = JSON.parse(jsonOf((await formatted({ hash })).bytes)) as Metadata;
      expect(Buffer.from(json["digests"]!["0"]!["digest"] as string, "base64")).toHaveLength(length);
    }
  });

  test("what the device held before is not recognised any more", async () => {
    const lower = new MemoryLayer(environment, { size: SIZE, contents: new Uint8Array(SIZE).fill(0x5a) });
    await luksFormat(lower, { environment, keys: [key("k")], keySize: 32, dataOffset: 512 * KIB, cost });
    expect(lower.bytes.subarray(512, 4096).every((byte) => byte === 0)).toBe(true);
  });

  test("cut at any moment, it is no LUKS device or one that opens", async () => {
    const options = { environment, keys: [key("k")], keySize: 32, dataOffset: 512 * KIB, cost } as const;
    const outcomes = new Set<string>();
    const work = (lower: PowerCutLayer): Promise<string> => luksFormat(lower, options);
    await eachCut(new Uint8Array(SIZE), work, async (image) => {
      const outcome = await attempt(image, "k");
      outcomes.add(typeof outcome === "string" ? outcome : "opened");
    });
    expect([...outcomes].toSorted()).toEqual(["CEV_BAD_METADATA", "opened"]);
  });

  test.each<[name: string, options: Partial<LuksFormatOptions>]>([
    ["no key", { keys: [] }],
    ["more keys than there is room for", { keys: [key("1"), key("2"), key("3"), key("4")] }],
    ["data that would begin past the end", { dataOffset: SIZE }],
    ["data at an odd place", { dataOffset: 512 * KIB + 100 }],
    ["sectors of 8192", { sectorSize: 8192 }],
    ["a number of keyslot that there is not", { keyslot: 32 }],
    ["a keyslot with pbkdf2 of too few iterations", { cost: { ...cost, iterations: 999 } }],
    ["argon2 of too few passes", { cost: { type: "argon2id", passes: 3, memoryKibibytes: 64, lanes: 1 } }],
    ["a label of 48 bytes", { label: "x".repeat(48) }],
    ["a UUID that is none", { uuid: "no" }],
    ["LUKS1 with a label", { version: 1, label: "x" }],
    ["LUKS1 with argon2", { version: 1, cost: { type: "argon2id" } }],
    ["LUKS1 with sectors of 4096", { version: 1, sectorSize: 4096 }],
    ["a volume key of another length", { volumeKey: new Uint8Array(64) }],
    ["data that is no whole number of sectors", { sectorSize: 4096, dataOffset: 512 * KIB + 512 }],
  ])("%s: refused, and nothing is written", async (_name, options) => {
    const lower = new MemoryLayer(environment, { size: SIZE });
    const all = {
      environment,
      keys: [key("k")],
      keySize: 32,
      dataOffset: 512 * KIB,
      cost,
      ...options,
    } as const;
    await expect(luksFormat(lower, all)).rejects.toMatchObject({
      code: expect.stringMatching(/^CEV_(INVALID|NO_SPACE)$/) as string,
    });
    expect(lower.log).toEqual([]);
    expect(lower.claims.count).toBe(0);
  });

  test("a device that somebody is writing is left alone", async () => {
    const lower = new MemoryLayer(environment, { size: SIZE });
    lower.claims.acquire({ name: "somebody" }, "write", "memory");
    const options = { environment, keys: [key("k")], cost };
    await expect(luksFormat(lower, options)).rejects.toMatchObject({ code: "CEV_BUSY" });
    await expect(luksAddKey(lower, { ...options, newKey: key("n") })).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    expect(lower.log).toEqual([]);
  });
});

describe("luksAddKey", () => {
  test("the new key opens, the old ones still do, and what is not known stays", async () => {
    const lower = await formatted();
    const json = JSON.parse(jsonOf(lower.bytes)) as Metadata;
    json["tokens"]!["3"] = { type: "vendor", keyslots: ["1"], secret: "kept" };
    json["config"]!["future"] = { yes: true };
    putJson(lower.bytes, 0, JSON.stringify(json));
    putJson(lower.bytes, 16_384, JSON.stringify(json));
    expect(await luksAddKey(lower, { environment, keys: [key("second")], newKey: key("third"), cost })).toBe(
      2,
    );
    for (const [text, keyslotId] of [
      ["first", 0],
      ["second", 1],
      ["third", 2],
    ] as const)
      expect(await attempt(lower.bytes, text)).toEqual({ keyslotId, problems: [] });
    const after = JSON.parse(jsonOf(lower.bytes)) as Metadata;
    expect(after["tokens"]).toEqual(json["tokens"]);
    expect(after["config"]).toEqual(json["config"]);
  });

  test("the first number and the first gap that are free are taken", async () => {
    const lower = await formatted();
    const json = JSON.parse(jsonOf(lower.bytes)) as Metadata;
    delete json["keyslots"]!["0"];
    json["digests"]!["0"]!["keyslots"] = ["1"];
    putJson(lower.bytes, 0, JSON.stringify(json));
    putJson(lower.bytes, 16_384, JSON.stringify(json));
    expect(await luksAddKey(lower, { environment, keys: [key("second")], newKey: key("new"), cost })).toBe(0);
    const after = JSON.parse(jsonOf(lower.bytes)) as Metadata;
    expect(after["keyslots"]!["0"]).toMatchObject({ area: { offset: "32768" } });
  });

  test("a wrong key adds nothing", async () => {
    const lower = await formatted();
    const before = lower.bytes.slice();
    const options = { environment, keys: [key("wrong")], newKey: key("new"), cost };
    await expect(luksAddKey(lower, options)).rejects.toMatchObject({ code: "CEV_WRONG_KEY" });
    expect(Buffer.compare(lower.bytes, before)).toBe(0);
    expect(lower.claims.count).toBe(0);
  });

  test("without room for another keyslot: CEV_NO_SPACE, and nothing is written", async () => {
    const lower = await formatted({ keys: [key("1"), key("2"), key("3")], dataOffset: 448 * KIB });
    const before = lower.bytes.slice();
    const options = { environment, keys: [key("1")], newKey: key("4"), cost };
    await expect(luksAddKey(lower, options)).rejects.toMatchObject({ code: "CEV_NO_SPACE" });
    expect(Buffer.compare(lower.bytes, before)).toBe(0);
  });

  test("a header copy that was damaged is whole again", async () => {
    const lower = await formatted();
    lower.bytes[5000] = 1;
    expect(await attempt(lower.bytes, "first")).toMatchObject({ problems: [expect.any(String)] });
    await luksAddKey(lower, { environment, keys: [key("first")], newKey: key("new"), cost });
    expect(await attempt(lower.bytes, "first")).toEqual({ keyslotId: 0, problems: [] });
  });

  test("cut at any moment, the old keys open, and the new one once it was there", async () => {
    const { bytes } = await formatted({ keys: [key("old")] });
    const options = { environment, keys: [key("old")], newKey: key("new"), cost };
    const newOutcomes = new Set<string>();
    const work = (lower: PowerCutLayer): Promise<number> => luksAddKey(lower, options);
    const after = await eachCut(bytes, work, async (image) => {
      expect(await attempt(image, "old")).toMatchObject({ keyslotId: 0 });
      const outcome = await attempt(image, "new");
      newOutcomes.add(typeof outcome === "string" ? outcome : "opened");
    });
    expect([...newOutcomes].toSorted()).toEqual(["CEV_WRONG_KEY", "opened"]);
    expect(await attempt(after, "new")).toEqual({ keyslotId: 1, problems: [] });
  });
});
