import { CevError, Op, environmentFrom } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { createArray } from "../src/metadata/create-array.ts";
import { planCreate } from "../src/metadata/create.ts";
import type { CreateOptions } from "../src/metadata/create-options.ts";
import { BITMAP_HEAD_LENGTH } from "../src/metadata/bitmap.ts";
import { readBitmap, readSuperblock, superblockOffset } from "../src/metadata/member-scan.ts";
import { DEVICES_MAX } from "../src/metadata/superblock-1.ts";
import { Role, decodeSuperblock, encodeSuperblock, ownRole } from "../src/metadata/superblock.ts";
import type { SuperblockVersion } from "../src/metadata/superblock.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { makeImages } from "./support/make-array.ts";
import { OLD_DEVICE_SIZE, oldSuperblock } from "./support/old-superblocks.ts";

const MIB = 1024 * 1024;
const inputs = {
  random: (bytes: Uint8Array) => void bytes.fill(7),
  wallClock: { now: () => 1_700_000_000_000 },
};
const sized = (count: number, size = 20 * MIB) =>
  Array.from({ length: count }, (_, index) => ({ name: `disk${index}`, size }));
const plan = (options: CreateOptions) => planCreate(options, inputs);

function refusal(options: CreateOptions): string {
  try {
    plan(options);
  } catch (error) {
    if (error instanceof CevError && error.code === "CEV_INVALID") return error.message;
    throw error;
  }
  throw new Error("it was planned");
}

describe("planning a new array", () => {
  it("has mdadm's defaults", () => {
    const { devices, arrayName, arraySize, memberSize, warnings, bitmapChunkSize } = plan({
      level: 5,
      members: sized(3),
      name: "data",
      homehost: "here",
    });
    expect({ arrayName, arraySize, memberSize, warnings, bitmapChunkSize }).toEqual({
      arrayName: "here:data",
      arraySize: 36 * MIB,
      memberSize: 18 * MIB,
      warnings: [],
      bitmapChunkSize: null,
    });
    expect(devices.map(({ index, superblock }) => [index, superblock.deviceNumber])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(devices[0]!.superblock).toMatchObject({
      version: "1.2",
      layout: 2,
      chunkSectors: 1024,
      dataOffsetSectors: 4096,
      eventCount: 0n,
      resyncSectors: 0,
      createdAt: { seconds: 1_700_000_000, microseconds: 0 },
    });
    expect(devices[0]!.superblock.roles).toHaveLength(128);
  });

  it.each<[string, string, string]>([
    ["data", "here", "here:data"],
    ["there:data", "here", "there:data"],
    ["data", "", "data"],
    ["x".repeat(28), "here", "x".repeat(28)],
    ["x".repeat(26), "here", `here:${"x".repeat(26)}`],
    ["x".repeat(40), "", "x".repeat(31)],
    ["", "here", ""],
  ])("calls the array %j of host %j %j", (name, homehost, expected) => {
    expect(plan({ level: 1, members: sized(2), name, homehost }).arrayName).toBe(expected);
  });

  it("takes a UUID in any writing", () => {
    const uuid = "C0FFEE00-1122-3344-5566-778899AABBCC";
    expect(plan({ level: 1, members: sized(2), uuid }).arrayUuid).toBe("c0ffee00:11223344:55667788:99aabbcc");
  });

  it("knows whether there is anything to be made to agree", () => {
    const dirty = (options: CreateOptions) => plan(options).devices[0]!.superblock.resyncSectors;
    expect(dirty({ level: 1, members: sized(2) })).toBe(0);
    expect(dirty({ level: 10, members: sized(3) })).toBe(0);
    expect(dirty({ level: 6, members: sized(4) })).toBe(0);
    expect(dirty({ level: 6, members: sized(4), assumeClean: true })).toBeNull();
    expect(dirty({ level: 0, members: sized(2) })).toBeNull();
    expect(dirty({ level: -1, members: sized(2) })).toBeNull();
    expect(dirty({ level: 5, members: [...sized(2), null] })).toBeNull();
    expect(dirty({ level: 1, members: [...sized(1), null] })).toBe(0);
  });

  it("leaves the place of a missing member empty", () => {
    const { devices } = plan({ level: 5, members: [sized(3)[0]!, null, sized(3)[2]!] });
    expect(devices.map(({ index }) => index)).toEqual([0, 2]);
    expect(devices[1]!.superblock.roles.slice(0, 4)).toEqual([0, Role.spare, 2, Role.spare]);
  });

  it("makes a member of a RAID6 that lacks another one a spare, as mdadm does: its parity can only be rebuilt", () => {
    const members = sized(4);
    const { devices } = plan({ level: 6, members: [null, ...members.slice(1)] });
    expect(devices.map(({ name, index }) => [name, index])).toEqual([
      ["disk1", 1],
      ["disk2", 2],
      ["disk3", null],
    ]);
    const { superblock } = devices[2]!;
    expect(ownRole(superblock)).toBe(Role.spare);
    expect(superblock.deviceNumber).toBe(4);
    expect(superblock.resyncSectors).toBeNull();
  });

  it("gives spares numbers behind the members, and lets them be large enough", () => {
    const { devices, memberSize } = plan({
      level: 1,
      members: sized(2),
      spares: [{ name: "spare", size: 10 * MIB }],
    });
    expect(devices[2]).toMatchObject({ name: "spare", index: null });
    expect(devices[2]!.superblock.deviceNumber).toBe(2);
    expect(memberSize).toBeLessThanOrEqual(9 * MIB);
  });

  it("warns of a member that is much larger than it needs to be", () => {
    const members = [...sized(2), { name: "large", size: 40 * MIB }];
    expect(plan({ level: 5, members }).warnings).toEqual([expect.stringContaining("large")]);
  });

  it("marks all of a bitmap, unless the members are said to agree", () => {
    const bits = (assumeClean: boolean) =>
      plan({
        level: 5,
        members: sized(3),
        bitmap: "internal",
        assumeClean,
      }).devices[0]!.bitmap!.bytes.subarray(BITMAP_HEAD_LENGTH);
    expect(bits(false).every((byte) => byte === 0xff)).toBe(true);
    expect(bits(true).every((byte) => byte === 0)).toBe(true);
  });

  test.prop([
    fc.constantFrom(-1, 0, 1, 4, 5, 6, 10),
    fc.constantFrom<SuperblockVersion[]>("0.90", "1.0", "1.1", "1.2"),
    fc.integer({ min: 2, max: 7 }),
    fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 7, maxLength: 7 }),
    fc.constantFrom(undefined, 4096, 65_536),
    fc.constantFrom<("internal" | "none" | undefined)[]>("internal", "none", undefined),
  ])(
    "plans what can be read again and lies apart, or says why not",
    (level, version, count, sectors, chunkSize, bitmap) => {
      const members = sectors
        .slice(0, count)
        .map((size, index) => ({ name: `disk${index}`, size: size * 512 }));
      const chunk = chunkSize === undefined || level === 1 ? {} : { chunkSize };
      let planned;
      try {
        planned = plan({ level, version, members, ...chunk, ...(bitmap === undefined ? {} : { bitmap }) });
      } catch (error) {
        expect((error as CevError).code).toBe("CEV_INVALID");
        return;
      }
      for (const { name, size, header, bitmap: bits, superblock } of planned.devices) {
        const place = { source: name, deviceSize: size, version, byteOffset: header.offset };
        expect(decodeSuperblock(header.bytes, place)).toEqual({ ...superblock, remnants: null });
        const dataStart = superblock.dataOffsetSectors * 512;
        const dataEnd = dataStart + superblock.sizeSectors * 512;
        for (const { offset, bytes } of [header, ...(bits === null ? [] : [bits])]) {
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset + bytes.length).toBeLessThanOrEqual(size);
          expect(offset + bytes.length <= dataStart || offset >= dataEnd).toBe(true);
        }
        if (bits !== null)
          expect(
            bits.offset >= header.offset + 4096 || bits.offset + bits.bytes.length <= header.offset,
          ).toBe(true);
      }
      expect(planned.arraySize).toBeGreaterThan(0);
    },
  );

  it.each<[string, CreateOptions, RegExp]>([
    ["no such level", { level: 3, members: sized(2) }, /level 3/],
    ["no such layout", { level: 5, members: sized(3), layout: 99 }, /layout/],
    ["a layout of more copies than members", { level: 10, members: sized(2), layout: 0x103 }, /layout/],
    ["too few members", { level: 6, members: sized(3) }, /4 members/],
    ["one member", { level: 1, members: sized(1) }, /unusual/],
    ["no member", { level: 1, members: [] }, /members/],
    ["only missing members", { level: 1, members: [null, null] }, /missing/],
    ["a RAID0 without a member", { level: 0, members: [...sized(1), null] }, /without/],
    ["spares of a RAID0", { level: 0, members: sized(2), spares: sized(1) }, /spares/],
    ["too many missing", { level: 5, members: [...sized(1), null, null] }, /cannot run/],
    ["a device twice", { level: 1, members: [sized(1)[0]!, sized(1)[0]!] }, /twice/],
    [
      "blocks too large",
      { level: 1, members: sized(2).map((one) => ({ ...one, logicalBlockSize: 8192 })) },
      /blocks/,
    ],
    ["a chunk that is no power of two", { level: 5, members: sized(3), chunkSize: 12_288 }, /chunk/],
    ["chunks of a mirror", { level: 1, members: sized(2), chunkSize: 65_536 }, /chunk/],
    ["a bitmap of a RAID0", { level: 0, members: sized(2), bitmap: "internal" }, /bitmap/],
    [
      "a bitmap's chunk that has no room",
      { level: 5, members: sized(3, 4096 * MIB), bitmap: "internal", bitmapChunkSize: 4096 },
      /room/,
    ],
    ["a member too small", { level: 5, members: sized(3, MIB) }, /small/],
    ["a size that a member does not have", { level: 5, members: sized(3), size: 19 * MIB }, /small/],
    ["a size less than a chunk", { level: 5, members: sized(3), size: 65_536 }, /chunk/],
    ["a size of a RAID0", { level: 0, members: sized(2), size: 65_536 }, /size/],
    [
      "a data offset with version 1.0",
      { level: 1, version: "1.0", members: sized(2), dataOffset: MIB },
      /begins/,
    ],
    ["a data offset in the superblock", { level: 1, members: sized(2), dataOffset: 4096 }, /room/],
    [
      "a data offset in the bitmap",
      { level: 1, members: sized(2), dataOffset: 8192, bitmap: "internal" },
      /room/,
    ],
    ["no UUID", { level: 1, members: sized(2), uuid: "abc" }, /UUID/],
    ["a name of two lines", { level: 1, members: sized(2), name: "a\nb" }, /line/],
    ["too many devices for 0.90", { level: 1, version: "0.90", members: sized(28) }, /27/],
    ["too many devices", { level: 1, members: sized(DEVICES_MAX + 1) }, /1920/],
    ["members of 0.90 beyond 4 TiB", { level: 1, version: "0.90", members: sized(2, 5 * 2 ** 40) }, /4 TiB/],
    [
      "uneven members of RAID0 with 0.90",
      { level: 0, version: "0.90", members: [...sized(1), { name: "x", size: 40 * MIB }] },
      /sizes/,
    ],
    [
      "uneven members of RAID0 in no known layout",
      { level: 0, layout: 0, members: [...sized(1), { name: "x", size: 40 * MIB }] },
      /layout/,
    ],
  ])("refuses %s", (_name, options, words) => {
    expect(refusal(options)).toMatch(words);
  });
});

describe("making a new array", () => {
  const environment = environmentFrom(globalThis);
  const disks = (count: number, size = 8 * MIB) =>
    Array.from({ length: count }, (_, index) => new MemoryLayer(`disk${index}`, new Uint8Array(size)));
  const named = (layers: readonly MemoryLayer[]) => layers.map((layer) => ({ name: layer.name, layer }));
  const scan = ({ name, durable }: MemoryLayer) => ({
    source: name,
    size: durable.length,
    read: (offset: number, length: number) => Promise.resolve(durable.slice(offset, offset + length)),
  });

  it.each(["0.90", "1.0", "1.1", "1.2"] as const)(
    "of version %s leaves superblocks and bitmaps that are durable",
    async (version) => {
      const layers = disks(3);
      const members = named(layers);
      await createArray({ environment, level: 5, version, members, bitmap: "internal", chunkSize: 65_536 });
      for (const [index, layer] of layers.entries()) {
        const superblock = await readSuperblock(scan(layer));
        expect(superblock).toMatchObject({ version, deviceNumber: index, level: 5 });
        const bitmap = await readBitmap(scan(layer), superblock!);
        expect(bitmap!.bits.every((byte) => byte === 0xff)).toBe(true);
      }
    },
  );

  it("writes the superblocks after everything else", async () => {
    const layers = disks(2);
    const order: string[] = [];
    for (const layer of layers)
      layer.onWrite = () =>
        order.push(
          layer.log.findLast(({ op }) => op === Op.write)!.offset === 4096 ? "superblock" : "bitmap",
        );
    await createArray({ environment, level: 1, members: named(layers), bitmap: "internal" });
    expect(order).toEqual(["bitmap", "bitmap", "superblock", "superblock"]);
  });

  it("refuses members of another array, and writes nothing", async () => {
    const images = makeImages().map((image) => {
      const larger = new Uint8Array(8 * MIB);
      larger.set(image);
      return larger;
    });
    const layers = [new MemoryLayer("used", images[0]!), ...disks(1)];
    await expect(createArray({ environment, level: 1, members: named(layers) })).rejects.toMatchObject({
      code: "CEV_BUSY",
      message: expect.stringContaining("oracle:test") as string,
    });
    for (const { writeCount } of layers) expect(writeCount).toBe(0);
  });

  it("refuses a superblock that cannot be understood, too", async () => {
    const image = new Uint8Array(OLD_DEVICE_SIZE);
    image.set(oldSuperblock("a spare of a RAID5 with a bitmap"), superblockOffset("0.90", image.length)!);
    image[superblockOffset("0.90", image.length)! + 100] = 1;
    const layers = [new MemoryLayer("used", image), ...disks(1)];
    await expect(createArray({ environment, level: 1, members: named(layers) })).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
  });

  it("forced, leaves no superblock of another version", async () => {
    const image = new Uint8Array(OLD_DEVICE_SIZE);
    const superblock = decodeSuperblock(oldSuperblock("a spare of a RAID5 with a bitmap"), {
      source: "",
      deviceSize: image.length,
      version: "0.90",
      byteOffset: superblockOffset("0.90", image.length)!,
    });
    // Made in the future: it would win over the new one.
    const bytes = encodeSuperblock({ ...superblock, createdAt: { seconds: 4_000_000_000, microseconds: 0 } });
    image.set(bytes, superblockOffset("0.90", image.length)!);
    const layers = [new MemoryLayer("used", image), ...disks(1)];
    await createArray({ environment, level: 1, members: named(layers), force: true });
    expect((await readSuperblock(scan(layers[0]!)))?.version).toBe("1.2");
  });

  it("cut off at any write leaves members of the old array, none, or members of the new one", async () => {
    const old = makeImages({ memberCount: 2 });
    for (let cut = 0; cut < 8; cut++) {
      const layers = old.map((image, index) => {
        const larger = new Uint8Array(8 * MIB);
        larger.set(image);
        return new MemoryLayer(`disk${index}`, larger);
      });
      let writes = 0;
      for (const layer of layers)
        layer.fault = (io) => (io.op !== Op.read && writes++ >= cut ? "CEV_IO" : null);
      const done = await createArray({ environment, level: 1, members: named(layers), force: true }).then(
        () => true,
        () => false,
      );
      const levels = await Promise.all(
        layers.map(async (layer) => (await readSuperblock(scan(layer)))?.level),
      );
      expect(levels.includes(1) && levels.includes(5), `cut ${cut}`).toBe(false);
      expect(done).toBe(levels.every((level) => level === 1));
    }
  });
});
