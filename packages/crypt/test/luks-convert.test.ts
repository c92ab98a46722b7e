import { environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { luksAddKey } from "../src/commands/luks-add-key.ts";
import { luksConvert } from "../src/commands/luks-convert.ts";
import { luksFormat } from "../src/commands/luks-format.ts";
import { headerSourceOf } from "../src/header/header-device.ts";
import { readLuksVolume } from "../src/header/read-volume.ts";
import { LUKS1_HEADER_LENGTH, decodeLuks1Header } from "../src/luks1/header.ts";
import { Opener, SMALL, luks1Image } from "./luks1-image.ts";
import type { Luks1Sample } from "./luks1-image.ts";
import { changeMetadata, jsonOf, putJson } from "./luks2-image.ts";
import { WriteRecorder } from "./write-recorder.ts";

const environment = environmentFrom(globalThis);
const AREA = 65_536;
/** Just room for both kinds of header. */
const TIGHT: Luks1Sample = { ...SMALL, dataOffset: 32_768 + 8 * AREA };
const ROOMY: Luks1Sample = { ...SMALL, dataOffset: 32_768 + 10 * AREA };

const keysOf = (...ids: readonly number[]): Readonly<Record<number, string>> =>
  Object.fromEntries(ids.map((id) => [id, `key ${id}`]));

async function convert(image: Uint8Array, to: 1 | 2): Promise<WriteRecorder> {
  const disk = new WriteRecorder(environment, image);
  await luksConvert(disk, { environment, to });
  return disk;
}

async function areaOffsets(image: Uint8Array): Promise<Record<number, number>> {
  const lower = new MemoryLayer(environment, { size: image.length, contents: image });
  const found = await readLuksVolume(headerSourceOf(lower, environment));
  return Object.fromEntries(found!.volume.keyslots.map(({ id, area }) => [id, area.offset]));
}

/** The places of `cryptsetup`: one area behind the other, from 4096 or 32768 on. */
const usual = (ids: readonly number[], start: number): Record<number, number> =>
  Object.fromEntries(ids.map((id) => [id, start + id * AREA]));

const opener = new Opener();

/** At every cut all keys open, and none of the data has changed. Of many like one another every fifth is looked at. */
async function checkCuts(disk: WriteRecorder, ids: readonly number[], dataOffset: number): Promise<void> {
  const data = Buffer.from(disk.initial.subarray(dataOffset));
  const step = disk.writeCount > 50 ? 5 : 1;
  let index = 0;
  for (const { name, image } of disk.crashImages(1, 2)) {
    if (index++ % step !== 0) continue;
    for (const id of ids)
      expect(await opener.open(image, `key ${id}`), `key ${id}, ${name}`).toBeTypeOf("number");
    expect(data.compare(image, dataOffset)).toBe(0);
  }
}

/** Sectors of key material that lie somewhere else than in an area. */
async function residues(before: Uint8Array, after: Uint8Array, dataOffset: number): Promise<number> {
  const material = new Set<string>();
  for (const offset of Object.values(await areaOffsets(before)))
    for (let at = 0; at < 64_000; at += 512)
      material.add(Buffer.from(before.subarray(offset + at, offset + at + 512)).toString("latin1"));
  const places = Object.values(await areaOffsets(after));
  let count = 0;
  for (let at = 0; at < dataOffset; at += 512) {
    if (places.some((place) => at >= place && at < place + AREA)) continue;
    if (material.has(Buffer.from(after.subarray(at, at + 512)).toString("latin1"))) count++;
  }
  return count;
}

describe("LUKS1 becomes LUKS2 and LUKS1 again; at every cut each key opens", () => {
  const cases: readonly [name: string, sample: Luks1Sample, ids: readonly number[], isUsual: boolean][] = [
    ["one key", TIGHT, [0], true],
    ["two keys, not the first", TIGHT, [3, 6], true],
    ["four keys, side by side", TIGHT, [0, 1, 6, 7], true],
    // One free place of eight, and in two pieces: areas stay where they are.
    ["seven keys, no room", TIGHT, [0, 1, 2, 3, 4, 5, 6], false],
    ["eight keys, room for another", ROOMY, [0, 1, 2, 3, 4, 5, 6, 7], true],
  ];
  test.each(cases)("%s", async (_name, sample, ids, isUsual) => {
    const image = await luks1Image(keysOf(...ids), sample);
    const dataOffset = sample.dataOffset!;
    const second = await convert(image, 2);
    for (const id of ids) expect(await opener.open(second.bytes, `key ${id}`)).toBe(id);
    if (isUsual) expect(await areaOffsets(second.bytes)).toEqual(usual(ids, 32_768));
    expect(await residues(image, second.bytes, dataOffset)).toBe(0);
    await checkCuts(second, ids, dataOffset);

    const first = await convert(second.bytes, 1);
    for (const id of ids) expect(await opener.open(first.bytes, `key ${id}`)).toBe(id);
    const header = decodeLuks1Header(first.bytes.subarray(0, LUKS1_HEADER_LENGTH), "image");
    if (isUsual) {
      expect(header.keyslots.map(({ offset }) => offset)).toEqual(
        Object.values(usual([0, 1, 2, 3, 4, 5, 6, 7], 4096)),
      );
      const before = decodeLuks1Header(image.subarray(0, LUKS1_HEADER_LENGTH), "image");
      expect(header).toEqual(before);
    }
    expect(await residues(image, first.bytes, dataOffset)).toBe(0);
    await checkCuts(first, ids, dataOffset);
  });
});

describe("where the areas of LUKS2 lie", () => {
  test("a detached header, whose data begins at 0, is converted within its file", async () => {
    const plain = await luks1Image(keysOf(0, 2), TIGHT);
    new DataView(plain.buffer).setUint32(104, 0);
    const { bytes } = await convert(plain, 2);
    expect(await areaOffsets(bytes)).toEqual(usual([0, 2], 32_768));
    expect(await opener.openAll(bytes, ["key 0", "key 2"])).toEqual([0, 2]);
    expect(await opener.openAll((await convert(bytes, 1)).bytes, ["key 0", "key 2"])).toEqual([0, 2]);
  });

  test("a conversion that was cut before the device was LUKS2 can be done once more", async () => {
    const disk = await convert(await luks1Image(keysOf(0, 2), ROOMY), 2);
    let count = 0;
    for (const { name, image } of disk.crashImages(1, 2)) {
      if (image[7] !== 1 || !name.startsWith("after flush")) continue;
      const { bytes } = await convert(image, 2);
      expect(await areaOffsets(bytes), name).toEqual(usual([0, 2], 32_768));
      expect(await opener.openAll(bytes, ["key 0", "key 2"]), name).toEqual([0, 2]);
      count++;
    }
    expect(count).toBeGreaterThan(2);
  });

  test("large header copies, where LUKS1 has several keyslots: each comes to its place, at every cut all open", async () => {
    const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
    const cipher = { encryption: "aes-cbc-plain64", keySize: 16 };
    const own = { keyslotEncryption: "aes-cbc-plain64", keyslotKeySize: 16 };
    const lower = new MemoryLayer(environment, { size: 1024 * 1024 });
    const [first, ...others] = [0, 1, 2].map((id) => Buffer.from(`key ${id}`));
    const sizes = { metadataSize: 131_072, keyslotsSize: 10 * AREA, dataOffset: 262_144 + 10 * AREA };
    await luksFormat(lower, { environment, version: 2, keys: [first!], cost, ...cipher, ...own, ...sizes });
    for (const newKey of others)
      await luksAddKey(lower, { environment, keys: [first!], newKey, cost, ...own });
    const disk = await convert(lower.bytes, 1);
    expect(await areaOffsets(disk.bytes)).toEqual(usual([0, 1, 2], 4096));
    let count = 0;
    for (const { name, image } of disk.crashImages(1, 2)) {
      if (!name.startsWith("after")) continue;
      for (const id of [0, 1, 2])
        expect(await opener.open(image, `key ${id}`), `key ${id}, ${name}`).toBe(id);
      count++;
    }
    expect(count).toBeGreaterThan(10);
    expect(await residues(lower.bytes, disk.bytes, sizes.dataOffset)).toBe(0);
  });

  test("of a LUKS2 device with room behind, LUKS1 has its areas where it always has them", async () => {
    const image = (await convert(await luks1Image(keysOf(0, 5), ROOMY), 2)).bytes;
    // As if keyslots had come and gone: 0 far behind, 5 at the beginning.
    const [zero, five] = [32_768, 32_768 + 5 * AREA].map((at) => image.slice(at, at + AREA));
    image.set(five!, 32_768);
    image.set(zero!, 32_768 + 9 * AREA);
    changeMetadata(image, ({ keyslots }) => {
      (keyslots!["0"]!["area"] as { offset: string }).offset = String(32_768 + 9 * AREA);
      (keyslots!["5"]!["area"] as { offset: string }).offset = "32768";
    });
    const { bytes } = await convert(image, 1);
    expect(await areaOffsets(bytes)).toEqual(usual([0, 5], 4096));
    expect(await opener.openAll(bytes, ["key 0", "key 5"])).toEqual([0, 5]);
  });
});

describe("what cannot be converted is refused, and nothing is written", () => {
  async function refused(image: Uint8Array, to: 1 | 2, code: string): Promise<void> {
    const disk = new WriteRecorder(environment, image);
    await expect(luksConvert(disk, { environment, to })).rejects.toMatchObject({ code });
    expect(disk.events).toEqual([]);
    expect(disk.claims.count).toBe(0);
  }

  const firstSlot = 208;
  test.each<[name: string, code: string, change: (image: Uint8Array, view: DataView) => void]>([
    ["data too near", "CEV_NO_SPACE", (_, view) => view.setUint32(104, (4096 + 8 * AREA) / 512)],
    ["keyslots that begin elsewhere", "CEV_NOT_SUPPORTED", (_, view) => view.setUint32(firstSlot + 40, 2)],
    [
      "a place that is no multiple of 4096",
      "CEV_NOT_SUPPORTED",
      (_, view) => view.setUint32(firstSlot + 48 + 40, 137),
    ],
    [
      "a cipher that encrypts nothing",
      "CEV_NOT_SUPPORTED",
      (image) => image.set(Buffer.from("cipher_null\0ecb"), 8),
    ],
    ["a cipher not known", "CEV_UNKNOWN_FEATURE", (image) => image.set(Buffer.from("rot13\0"), 8)],
    ["LUKSMETA data", "CEV_NOT_SUPPORTED", (image) => image.set(Buffer.from("LUKSMETA"), 4096 + 8 * AREA)],
    ["a damaged keyslot", "CEV_BAD_METADATA", (_, view) => view.setUint32(firstSlot + 48, 7)],
  ])("LUKS1 with %s: %s", async (_name, code, change) => {
    const image = await luks1Image(keysOf(0), TIGHT);
    change(image, new DataView(image.buffer));
    await refused(image, 2, code);
  });

  test("LUKS1 with all keyslots in use and no room to move one of them", async () => {
    await refused(await luks1Image(keysOf(0, 1, 2, 3, 4, 5, 6, 7), TIGHT), 2, "CEV_NO_SPACE");
  });

  // As with luksFormat --header --offset, in a file just as long as the header.
  test("detached headers whose data begins behind the end of their file, without room", async () => {
    const image = (await luks1Image(keysOf(0, 7), TIGHT)).slice(0, 4096 + 8 * AREA);
    new DataView(image.buffer).setUint32(104, 32_768);
    await refused(image, 2, "CEV_NO_SPACE");
    const second = (await convert(await luks1Image(keysOf(0), TIGHT), 2)).bytes.slice(0, 32_768 + 3 * AREA);
    changeMetadata(second, ({ config, segments }) => {
      Object.assign(config!, { keyslots_size: String(3 * AREA) });
      Object.assign(segments!["0"]!, { offset: String(32_768 * 512) });
    });
    await refused(second, 1, "CEV_NO_SPACE");
  });

  test("LUKS2 whose sequence number cannot grow by as much as areas have to move", async () => {
    const image = (await convert(await luks1Image(keysOf(0, 3), ROOMY), 2)).bytes;
    for (const at of [0, 16_384]) putJson(image, at, jsonOf(image, at), 2n ** 64n - 1n - 4n);
    await refused(image, 1, "CEV_NOT_SUPPORTED");
  });

  const kdf = { type: "argon2id", time: 1, memory: 64, cpus: 1, salt: Buffer.alloc(32).toString("base64") };
  type Slot = Record<string, unknown> & Record<"kdf" | "af", Record<string, unknown>>;
  test.each<[name: string, change: (slot: Slot, metadata: Record<string, Record<string, unknown>>) => void]>([
    ["argon2", (slot) => Object.assign(slot, { kdf })],
    ["another hash", (slot) => Object.assign(slot.kdf, { hash: "sha512" })],
    ["another hash of the splitter", (slot) => Object.assign(slot.af, { hash: "sha512" })],
    ["a priority", (slot) => Object.assign(slot, { priority: 2 })],
    ["a short salt", (slot) => Object.assign(slot.kdf, { salt: "c2FsdHNhbHQ=" })],
    [
      "keyslot 8",
      (slot, { keyslots, digests }) => {
        keyslots!["8"] = slot;
        delete keyslots!["0"];
        (digests!["0"] as { keyslots: string[] }).keyslots = ["8"];
      },
    ],
    [
      "an unbound keyslot",
      (_, { digests }) => {
        const { keyslots, segments, ...digest } = digests!["0"] as { keyslots: unknown; segments: unknown };
        digests!["1"] = { ...digest, keyslots, segments: [] };
        digests!["0"] = { ...digest, keyslots: [], segments };
      },
    ],
    ["a token", (_, { tokens }) => Object.assign(tokens!, { "0": { type: "vendor", keyslots: ["0"] } })],
    ["flags", (_, { config }) => Object.assign(config!, { flags: ["allow-discards"] })],
    ["something unknown", (_, { config }) => Object.assign(config!, { future: 1 })],
    ["large sectors", (_, { segments }) => Object.assign(segments!["0"]!, { sector_size: 4096 })],
    ["sectors numbered from 1", (_, { segments }) => Object.assign(segments!["0"]!, { iv_tweak: "1" })],
    ["a fixed size", (_, { segments }) => Object.assign(segments!["0"]!, { size: "512" })],
    [
      "no keyslot",
      (_, { keyslots, digests }) => {
        delete keyslots!["0"];
        (digests!["0"] as { keyslots: string[] }).keyslots = [];
      },
    ],
  ])("LUKS2 with %s", async (_name, change) => {
    const image = (await convert(await luks1Image(keysOf(0), TIGHT), 2)).bytes;
    changeMetadata(image, (metadata) => change(metadata["keyslots"]!["0"] as Slot, metadata));
    await refused(image, 1, "CEV_NOT_SUPPORTED");
  });

  test("LUKS2 whose copies do not agree, a device that is so already, and one that is none", async () => {
    const first = await luks1Image(keysOf(0), TIGHT);
    const second = (await convert(first, 2)).bytes;
    await refused(first, 1, "CEV_INVALID");
    await refused(second, 2, "CEV_INVALID");
    second[16_384 + 5000] = 1;
    await refused(second, 1, "CEV_NOT_SUPPORTED");
    await refused(new Uint8Array(65_536), 1, "CEV_BAD_METADATA");
    await refused(new Uint8Array(65_536), 2, "CEV_BAD_METADATA");
  });
});
