import { Device, environmentFrom, openTree } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import {
  CompressLayer,
  compressDriver,
  compressOptions,
  findSuperblock,
  formatCompressed,
} from "../src/index.ts";
import { Allocator } from "../src/compress/allocator.ts";
import { crc32, plainCrc32 } from "../src/compress/crc32.ts";
import { HOLE, decodeEntry, encodeEntry, entryIssue } from "../src/compress/entry.ts";
import { decodeRecord, encodeRecord } from "../src/compress/journal-record.ts";
import { decodeMapSector, encodeMapSector } from "../src/compress/map-sector.ts";
import { decodeSuperblock, encodeSuperblock } from "../src/compress/superblock.ts";
import type { Superblock } from "../src/compress/superblock.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);
const formatId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const superblock: Superblock = {
  uuid: Uint8Array.from({ length: 16 }, (_, at) => at),
  formatId,
  size: 1_048_576,
  chunkSize: 32_768,
  halfLength: 8192,
  mapOffset: 24_576,
  mapLength: 4096,
  dataOffset: 32_768,
  binCount: 60,
  codec: 2,
  level: 1,
};

describe("bytes on disk", () => {
  test("an entry is 16 bytes, little-endian", () => {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    const entry = {
      kind: 2,
      firstUnit: 0x1_2345_6789,
      unitCount: 3,
      storedLength: 9000,
      checksum: 0xcafe,
    } as const;
    encodeEntry(view, 0, entry);
    expect(hex(bytes)).toBe("8967452301000203" + "28230000" + "feca0000");
    expect(decodeEntry(view, 0)).toEqual(entry);
  });

  test("a map sector belongs to its place and its format", () => {
    const entries = new Uint8Array(31 * 16).fill(5);
    const bytes = encodeMapSector(7, formatId, { epoch: 9, entries });
    expect(hex(bytes.subarray(4, 20))).toBe("01020304" + "0900000000000000" + "05050505");
    expect(decodeMapSector(7, formatId, bytes)).toEqual({ epoch: 9, entries });
    expect(decodeMapSector(8, formatId, bytes)).toBeNull();
    expect(decodeMapSector(7, formatId.toReversed(), bytes)).toBeNull();
    expect(decodeMapSector(7, formatId, new Uint8Array(512))).toBeNull();
  });

  test("a journal record belongs to its half, position and format", () => {
    const changes = [
      { chunk: 3, entry: HOLE },
      { chunk: 4, entry: { ...HOLE, kind: 1, unitCount: 8 } as const },
    ];
    const record = { epoch: 5, sequence: 1, durableThrough: 0, changes };
    const bytes = encodeRecord(formatId, record);
    expect(hex(bytes.subarray(0, 4))).toBe(Buffer.from("cevj").toString("hex"));
    expect(hex(bytes.subarray(8, 40))).toBe(
      "0102030405060708" + "0500000000000000" + "01000000" + "02000000" + "00000000" + "00000000",
    );
    expect(decodeRecord(formatId, 1, 1, bytes)).toEqual(record);
    expect(decodeRecord(formatId, 0, 1, bytes)).toBeNull();
    expect(decodeRecord(formatId, 1, 2, bytes)).toBeNull();
    expect(decodeRecord(formatId.toReversed(), 1, 1, bytes)).toBeNull();
  });

  test("a superblock comes back as it was, and not with any bit of it changed", () => {
    const bytes = encodeSuperblock(superblock);
    expect(Buffer.from(bytes.subarray(0, 8)).toString()).toBe("cevcmprs");
    expect(decodeSuperblock(bytes, 0, 4 * 1_048_576)).toEqual(superblock);
    for (let bit = 0; bit < 90 * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeSuperblock(bytes, 0, 4 * 1_048_576)).toThrow();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  test.each<[string, Partial<Superblock>, string]>([
    ["chunks of no power of two", { chunkSize: 40_000 }, "chunk size"],
    ["a map in the journal", { mapOffset: 8192 }, "map offset"],
    ["a map too short", { size: 64 * 1_048_576 }, "map length"],
    ["data in the map", { dataOffset: 0 }, "data offset"],
    ["more bins than there is room for", { binCount: 10_000 }, "bin count"],
    ["a journal without end", { halfLength: 2 ** 30 }, "journal length"],
    ["no size", { size: 0 }, "size"],
    ["a level that no codec has", { level: 200 }, "level"],
  ])("a superblock with %s is refused by the name of the field", (_, change, field) => {
    const bytes = encodeSuperblock({ ...superblock, ...change });
    expect(() => decodeSuperblock(bytes, 0, 4 * 1_048_576)).toThrow(
      expect.objectContaining({
        code: "CEV_BAD_METADATA",
        place: expect.objectContaining({ field }) as unknown,
      }),
    );
  });

  test.each([
    { kind: 0, firstUnit: 1, unitCount: 0, storedLength: 0 },
    { kind: 1, firstUnit: 1, unitCount: 8, storedLength: 4096 },
    { kind: 1, firstUnit: 0, unitCount: 7, storedLength: 3584 },
    { kind: 2, firstUnit: 0, unitCount: 2, storedLength: 512 },
    { kind: 2, firstUnit: 7, unitCount: 2, storedLength: 1000 },
    { kind: 2, firstUnit: 80, unitCount: 1, storedLength: 1 },
    { kind: 3, firstUnit: 0, unitCount: 8, storedLength: 4096 },
    { kind: 9, firstUnit: 0, unitCount: 1, storedLength: 1 },
  ])("the entry %j is refused", (entry) => {
    const bounds = { chunkSize: 4096, binCount: 10 };
    expect(entryIssue({ ...entry, kind: entry.kind as 0, checksum: 0 }, bounds)).not.toBeNull();
  });

  test("checksums are the same where zlib has none", () => {
    const bytes = new Random(1).bytes(1000);
    expect(plainCrc32(bytes)).toBe(crc32(bytes));
    expect(plainCrc32(bytes, 77)).toBe(crc32(bytes, 77));
  });
});

describe("room", () => {
  test("is never given out twice, and a whole bin is there as long as fewer runs are in use than bins", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Random(seed);
      const binCount = random.between(2, 20);
      const allocator = new Allocator(binCount);
      const used = new Set<number>();
      const runs: [first: number, count: number][] = [];
      for (let round = 0; round < 400; round++) {
        if (runs.length > 0 && random.chance(0.4)) {
          const [[first, count]] = runs.splice(random.below(runs.length), 1) as [[number, number]];
          allocator.release(first, count);
          for (let unit = first; unit < first + count; unit++) used.delete(unit);
          continue;
        }
        const count = random.between(1, 8);
        const first = allocator.allocate(count);
        if (first < 0) {
          expect(runs.length).toBeGreaterThanOrEqual(binCount);
          continue;
        }
        expect(Math.floor(first / 8)).toBe(Math.floor((first + count - 1) / 8));
        for (let unit = first; unit < first + count; unit++) {
          expect(used.has(unit)).toBe(false);
          used.add(unit);
        }
        runs.push([first, count]);
        expect(allocator.runCount).toBe(runs.length);
        expect(allocator.freeCount).toBe(binCount * 8 - used.size);
      }
    }
  });
});

async function makeUsed(): Promise<{ readonly image: Uint8Array; readonly contents: Uint8Array }> {
  const disk = new MemoryLayer(environment, { size: 128 * KIB });
  await openTree(disk);
  const made = await formatCompressed(disk, environment, { chunkSize: 4 * KIB, journalLength: 16 * KIB });
  const open = (): Promise<Device> =>
    Device.open(new CompressLayer(disk, { superblock: made, environment }), environment);
  await using device = await open();
  for (let chunk = 0; chunk < 5; chunk++)
    await device.write(chunk * 4 * KIB, new Uint8Array(4 * KIB).fill(chunk + 1));
  await device.write(5 * 4 * KIB, new Random(1).bytes(4 * KIB));
  await device.flush();
  await device.write(0, new Uint8Array(512).fill(9));
  await device.flush();
  // As a power cut would leave it: the map is not up to date.
  const image = disk.bytes.slice();
  return { image, contents: await device.read(0, device.size) };
}

/** Opens an image read-only and reads it: what it holds, or the code of the error. */
async function contentsOf(image: Uint8Array): Promise<Uint8Array | string> {
  const disk = new MemoryLayer(environment, { size: image.length, contents: image });
  try {
    const found = await findSuperblock(disk, environment);
    if (typeof found === "string") return found;
    const layer = new CompressLayer(disk, { superblock: found.superblock, environment, isReadOnly: true });
    await using device = await Device.open(layer, environment);
    return await device.read(0, device.size);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describe("damage", () => {
  test("of any bit of superblocks, journal and map is refused by name, or nothing is wrong", async () => {
    const { image, contents } = await makeUsed();
    const end = 8 * KIB + 16 * KIB + 4 * KIB;
    const isEmpty = (at: number): boolean =>
      image.subarray(at & ~511, (at & ~511) + 512).every((byte) => byte === 0);
    const step = process.env["CEV_ALL_CASES"] === undefined ? 331 : 1;
    let refusedCount = 0;
    for (let bit = 0; bit < end * 8; bit += step) {
      if (isEmpty(bit >> 3) && bit % 7 !== 0) continue;
      image[bit >> 3]! ^= 1 << (bit & 7);
      const found = await contentsOf(image);
      image[bit >> 3]! ^= 1 << (bit & 7);
      if (typeof found === "string") {
        expect(["CEV_BAD_METADATA", "CEV_MEDIUM"]).toContain(found);
        refusedCount++;
      } else if (!lastCommitOf(image, bit >> 3)) {
        expect(Buffer.compare(found, contents), `bit ${bit}`).toBe(0);
      }
    }
    expect(refusedCount).toBeGreaterThan(20);
  });

  test("of what is stored fails the read of that chunk alone, with CEV_MEDIUM", async () => {
    const { image, contents } = await makeUsed();
    const disk = new MemoryLayer(environment, { size: image.length, contents: image });
    for (let at = 28 * KIB; at < image.length; at += 512) disk.bytes[at]! ^= 1;
    const found = await findSuperblock(disk, environment);
    if (typeof found === "string") throw new Error(found);
    const layer = new CompressLayer(disk, { superblock: found.superblock, environment });
    await using device = await Device.open(layer, environment);
    await expect(device.read(4 * KIB, 512)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    await expect(device.write(4 * KIB, new Uint8Array(512))).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    await device.write(4 * KIB, contents.subarray(4 * KIB, 8 * KIB));
    expect(Buffer.compare(await device.read(4 * KIB, 4 * KIB), contents.subarray(4 * KIB, 8 * KIB))).toBe(0);
  });
});

/** The record that was written last cannot be told from a torn one. */
function lastCommitOf(_image: Uint8Array, at: number): boolean {
  const lastRecord = 8 * KIB + 8 * KIB + 4 * KIB;
  return at >= lastRecord && at < lastRecord + 4 * KIB;
}

describe("the driver", () => {
  const context = (disk: MemoryLayer, options: object, isReadOnly = false) => ({
    environment,
    options,
    lowers: [{ name: "d0", layer: disk }],
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: () => undefined,
  });

  test("S2 makes a compressed device of a blank one, finds it, and opens it again", async () => {
    const disk = new MemoryLayer(environment, { size: 1024 * KIB });
    await expect(compressDriver.open(context(disk, {}))).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
    await expect(compressDriver.open(context(disk, { create: {} }, true))).rejects.toThrow(
      expect.objectContaining({
        code: "CEV_NOT_FOUND",
        place: { source: "d0", hint: expect.stringMatching(/when it is opened to be written/) as unknown },
      }),
    );
    const [made] = await compressDriver.open(
      context(disk, { create: { chunkSize: 4096, size: 2048 * KIB } }),
    );
    const device = await Device.open(made!.layer, environment);
    expect(device.size).toBe(2048 * KIB);
    const text = Buffer.from("the same words again and again. ".repeat(40_000)).subarray(0, 1200 * KIB);
    await device.write(0, text);
    await device.close();
    const below = await Device.open(disk, environment);
    expect(await compressDriver.probe!(below)).toMatchObject({ details: { chunkSize: 4096 } });
    await below.close();
    const [again] = await compressDriver.open(context(disk, {}, true));
    expect(again).toMatchObject({ state: "read-only" });
    await using reader = await Device.open(again!.layer, environment);
    expect(Buffer.compare(await reader.read(0, text.length), text)).toBe(0);
  });

  test("writes nothing before the device is opened, and then only if it is still blank", async () => {
    const disk = new MemoryLayer(environment, { size: 1024 * KIB });
    const [made] = await compressDriver.open(context(disk, { create: {} }));
    expect(disk.bytes.every((byte) => byte === 0)).toBe(true);
    disk.bytes[100] = 1;
    const before = disk.bytes.slice();
    await expect(Device.open(made!.layer, environment)).rejects.toMatchObject({ code: "CEV_INVALID" });
    expect(Buffer.compare(disk.bytes, before)).toBe(0);
  });

  test("makes nothing of a device that holds something", async () => {
    const disk = new MemoryLayer(environment, { size: 1024 * KIB });
    disk.bytes[5000] = 1;
    const before = disk.bytes.slice();
    await expect(compressDriver.open(context(disk, { create: {} }))).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
    });
    expect(disk.bytes).toEqual(before);
  });

  test.each([
    ["an ISO 9660 file system", 32_769, "CD001"],
    ["btrfs", 65_600, "_BHRfS_M"],
    ["a label of ZFS", 16_384, "\u0001\u0001"],
    ["the last byte that is looked at", 73_727, "x"],
  ])("makes nothing of a device that begins with zeroes, and holds %s", async (_, offset, text) => {
    const disk = new MemoryLayer(environment, { size: 1024 * KIB });
    disk.bytes.set(Buffer.from(text), offset);
    const before = disk.bytes.slice();
    await expect(compressDriver.open(context(disk, { create: {} }))).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
    });
    expect(Buffer.compare(disk.bytes, before)).toBe(0);
  });

  test("a device that shows more than there is room for is full with CEV_NO_SPACE, and keeps what it has", async () => {
    const disk = new MemoryLayer(environment, { size: 256 * KIB });
    const [made] = await compressDriver.open(context(disk, { create: { chunkSize: 4096, size: 512 * KIB } }));
    await using device = await Device.open(made!.layer, environment);
    const random = new Random(3);
    const written: Uint8Array[] = [];
    let error: unknown = null;
    while (error === null) {
      const data = random.bytes(4096);
      error = await device.write(written.length * 4096, data).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null) written.push(data);
    }
    expect(error).toMatchObject({ code: "CEV_NO_SPACE" });
    await device.flush();
    for (const [chunk, data] of written.entries())
      expect(Buffer.compare(await device.read(chunk * 4096, 4096), data)).toBe(0);
    await device.discard(0, 8 * 4096);
    await device.write(written.length * 4096, random.bytes(4096));
  });

  test.each([
    [{ create: { chunkSize: 5000 } }],
    [{ create: { level: 0 } }],
    [{ mapMemoryMax: -1 }],
    [{ x: 1 }],
  ])("does not take the options %j", (options) => {
    expect(compressOptions["~standard"].validate(options)).toHaveProperty("issues");
  });

  test("refuses a map larger than the memory that is allowed", async () => {
    const disk = new MemoryLayer(environment, { size: 1024 * KIB });
    const options = { create: { chunkSize: 4096 }, mapMemoryMax: 1000 };
    await expect(compressDriver.open(context(disk, options))).rejects.toMatchObject({
      code: "CEV_NO_MEMORY",
    });
  });
});
