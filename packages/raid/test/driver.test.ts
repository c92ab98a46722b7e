import { CevError, Device, MetadataError, environmentFrom, openTree } from "@cev/core";
import { describe, expect, it } from "vitest";
import { raidDriver } from "../src/index.ts";
import { DeviceFlag } from "../src/metadata/superblock.ts";
import { RAID_OPTIONS } from "../src/options.ts";
import { OLD_DEVICE_SIZE, oldSuperblock } from "./support/old-superblocks.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { makeImages } from "./support/make-array.ts";
import type { ArrayShape } from "./support/make-array.ts";
import { openArray } from "./support/open-array.ts";

const UUID = "c0ffee00:11223344:55667788:99aabbcc";

function layersOf(shape: ArrayShape = {}): MemoryLayer[] {
  return makeImages(shape).map((image, index) => new MemoryLayer(`disk${index}`, image));
}

async function probe(layer: MemoryLayer): ReturnType<NonNullable<typeof raidDriver.probe>> {
  const device = await Device.open(layer, environmentFrom(globalThis), {
    isReadOnly: true,
    name: layer.name,
  });
  try {
    return await raidDriver.probe!(device);
  } finally {
    await device.close();
  }
}

async function failureOf(promise: Promise<unknown>): Promise<CevError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof CevError) return error;
  throw new Error("it did not fail with an error of ours", { cause: error });
}

describe("probing", () => {
  it.each(["1.0", "1.1", "1.2"] as const)(
    "finds a member by its superblock of version %s",
    async (version) => {
      const [, layer] = layersOf({ version });
      const finding = await probe(layer!);
      expect(finding).toMatchObject({
        summary: "md active device 1 of raid5 array oracle:test (4 devices)",
        group: UUID,
        details: { arrayUuid: UUID, role: 1, metadata: version, isClean: true, events: 17 },
      });
      expect(layer!.writeCount).toBe(0);
    },
  );

  it("finds nothing where there is nothing, or no room for it", async () => {
    for (const size of [0, 512, 4096, 8192, 65_536, 1 << 20])
      expect(await probe(new MemoryLayer("blank", new Uint8Array(size)))).toBeNull();
  });

  it("finds version 0.90, also where a member of another byte order is refused by name", async () => {
    const image = new Uint8Array(OLD_DEVICE_SIZE);
    image.set(oldSuperblock("a spare of a RAID5 with a bitmap"), image.length - 65_536);
    expect(await probe(new MemoryLayer("old", image))).toMatchObject({
      summary: expect.stringContaining("md spare of raid5 array") as string,
      details: { metadata: "0.90", role: "spare" },
    });
    const foreign = image.map((_, at) => image[at ^ 3]!);
    const error = await failureOf(probe(new MemoryLayer("old", foreign)));
    expect(error.code).toBe("CEV_UNKNOWN_FEATURE");
    expect(error.message).toContain("byte order");
    expect(error.place).toMatchObject({ source: "old", byteOffset: image.length - 65_536 });
  });

  it("of a member cut short names the device, the field and the byte", async () => {
    const [image] = makeImages();
    const error = await failureOf(probe(new MemoryLayer("short.img", image!.slice(0, 40_960))));
    expect(error).toBeInstanceOf(MetadataError);
    expect(error.place).toMatchObject({
      source: "short.img",
      structure: "md superblock",
      field: "data_size",
      byteOffset: 4096 + 136,
    });
  });
});

describe("opening", () => {
  it("proposes the array's name, or its UUID where it has none", async () => {
    const named = await openArray(layersOf());
    expect(named.opened.name).toBe("md/oracle:test");
    const unnamed = await openArray(layersOf({ changes: () => ({ arrayName: "" }) }));
    expect(unnamed.opened.name).toBe(`md/${UUID}`);
    await named.device.close();
    await unnamed.device.close();
  });

  it("tells what there is to know", async () => {
    const layers = layersOf({ bitmapChunkSize: 8192 });
    const { device, opened } = await openArray([layers[3]!, layers[0]!, layers[1]!]);
    expect(opened.state).toBe("clean, degraded");
    expect(opened.details).toMatchObject({
      uuid: UUID,
      name: "oracle:test",
      metadata: "1.2",
      level: "raid5",
      layout: "left-symmetric",
      chunkSize: 4096,
      memberCount: 4,
      events: 17,
      isClean: true,
      isDegraded: true,
      bitmap: { chunkSize: 8192, bitCount: 4, dirtyCount: 0, events: 17 },
    });
    expect(opened.details["members"]).toMatchObject([
      { role: 0, device: "disk0", state: "in sync" },
      { role: 1, device: "disk1", state: "in sync" },
      { role: 2, device: null, state: "missing" },
      { role: 3, device: "disk3", state: "in sync" },
    ]);
    expect(JSON.parse(JSON.stringify(opened.details))).toEqual(opened.details);
    await device.close();
  });

  it("tells which members are write-mostly or fail fast", async () => {
    const flags = [0, DeviceFlag.writeMostly, DeviceFlag.failFast, 0];
    const layers = layersOf({ changes: (_, index) => ({ deviceFlags: flags[index]! }) });
    const told = [
      { isWriteMostly: false, isFailFast: false },
      { isWriteMostly: true, isFailFast: false },
      { isWriteMostly: false, isFailFast: true },
    ];
    for (const [index, details] of told.entries())
      expect((await probe(layers[index]!))?.details).toMatchObject(details);
    const { device, opened } = await openArray(layers.slice(0, 3));
    const missing = { role: 3, device: null, isWriteMostly: false, isFailFast: false };
    expect(opened.details["members"]).toMatchObject([...told, missing]);
    await device.close();
  });

  it("with a member missing is read-only until writing is allowed, by the stack or by the option", async () => {
    const readOnly = await openArray(layersOf().slice(1));
    expect(readOnly.layer.support.write).toBe("none");
    expect(readOnly.problems.map(({ code, severity }) => [code, severity])).toEqual([
      ["CEV_DEGRADED", "warning"],
    ]);
    expect(readOnly.problems[0]!.message).toContain("is degraded: active device 0 is missing,");
    await readOnly.device.close();
    for (const how of [{ canWriteDegraded: true }, { options: { degraded: true } }]) {
      const { device, layer } = await openArray(layersOf().slice(1), how);
      expect(layer.support.write).toBe("native");
      await device.close();
    }
  });

  it("with two members missing fails and names them", async () => {
    const error = await failureOf(openArray(layersOf().slice(2)));
    expect(error.code).toBe("CEV_DEGRADED");
    expect(error.message).toBe("array oracle:test needs 3 of its 4 devices; active devices 0, 1 are missing");
  });

  it("names the device of a place that is missing where it was given and is stale", async () => {
    const changes = (_: unknown, index: number): object => (index === 3 ? { eventCount: 3n } : {});
    const { device, problems } = await openArray(layersOf({ changes }));
    expect(problems[0]!.message).toMatch(/^disk3 is stale: .* it is left out of array oracle:test$/);
    expect(problems[1]!.message).toContain("is degraded: active device 3 (disk3) is missing");
    await device.close();
  });

  it("goes without a member whose superblock is damaged, and says so", async () => {
    const layers = layersOf();
    layers[2]!.bytes[4096 + 80]! ^= 1;
    const { device, problems } = await openArray(layers);
    expect(problems[0]!.device).toBe("disk2");
    expect(problems[0]!.message).toContain("checksum");
    await device.close();
  });

  it("uses the bitmap of another member where one is damaged, and says so", async () => {
    const layers = layersOf({ bitmapChunkSize: 8192 });
    layers[0]!.bytes[8192] = 0;
    const { device, opened, problems } = await openArray(layers);
    expect(opened.details["bitmap"]).toMatchObject({ bitCount: 4 });
    expect(problems.map(({ code, device: source }) => [code, source])).toEqual([
      ["CEV_BAD_METADATA", "disk0"],
    ]);
    await device.write(0, new Uint8Array(512));
    await device.close();
    expect(layers[0]!.bytes.slice(8192, 8196)).toEqual(Uint8Array.from(Buffer.from("bitm")));
  });

  it("is read-only where no copy of the bitmap can be used", async () => {
    const layers = layersOf({ bitmapChunkSize: 8192 });
    for (const layer of layers) layer.bytes[8192] = 0;
    const { device, problems } = await openArray(layers);
    expect(device.isReadOnly).toBe(true);
    expect(problems.at(-1)!.code).toBe("CEV_DEGRADED");
    await device.close();
  });

  it("takes the array that the option uuid names, of members of two", async () => {
    const other = "00000000:00000000:00000000:00000001";
    const strangers = layersOf({ changes: () => ({ arrayUuid: other }) });
    const layers = [...layersOf(), ...strangers];
    expect((await failureOf(openArray(layers))).code).toBe("CEV_AMBIGUOUS");
    const { device, opened } = await openArray(layers, { options: { uuid: other.replaceAll(":", "") } });
    expect(opened.details["uuid"]).toBe(other);
    await device.close();
    const none = await failureOf(openArray(layers, { options: { uuid: "f".repeat(32) } }));
    expect(none.code).toBe("CEV_NOT_FOUND");
  });

  it.each<[string, ArrayShape, string]>([
    ["a level that is not supported", { changes: () => ({ level: -4, layout: 0 }) }, "CEV_UNKNOWN_FEATURE"],
    ["a layout that does not exist", { changes: () => ({ layout: 7 }) }, "CEV_BAD_METADATA"],
    [
      "members that disagree about the bitmap",
      { changes: (_, index) => (index === 1 ? { features: 1, bitmapOffsetSectors: 8 } : {}) },
      "CEV_BAD_METADATA",
    ],
  ])("refuses %s", async (_name, shape, code) => {
    expect((await failureOf(openArray(layersOf(shape)))).code).toBe(code);
  });

  it("refuses members with blocks larger than the array is aligned to", async () => {
    const layers = makeImages().map(
      (image, index) =>
        new MemoryLayer(`disk${index}`, image, {
          limits: { logicalBlockSize: 8192, physicalBlockSize: 8192 },
        }),
    );
    expect((await failureOf(openArray(layers))).code).toBe("CEV_INVALID");
  });

  it("claims its members, so that they have one writer", async () => {
    const layers = layersOf();
    const first = await openArray(layers);
    for (const layer of layers) await openTree(layer);
    const error = await failureOf(openArray(layers));
    expect(error.code).toBe("CEV_BUSY");
    await first.device.close();
  });
});

describe("the options", () => {
  const validate = RAID_OPTIONS["~standard"].validate;

  it("are taken where they make sense", async () => {
    const create = { level: "raid10", layout: "f2", chunkSize: 65_536, metadata: "1.0", spareCount: 1 };
    const options = { uuid: UUID, degraded: true, force: false, layout: "alternate", create };
    expect(await validate(options)).toEqual({ value: options });
    expect(await validate({})).toEqual({ value: {} });
  });

  it.each([
    null,
    3,
    [],
    { uuid: "12" },
    { uuid: 5 },
    { degraded: "yes" },
    { members: [] },
    { layout: "n2" },
    { create: 5 },
    { create: { level: 5, layout: "n2" } },
    { create: { level: "raid7" } },
    { create: { level: 5, chunkSize: "64K" } },
    { create: { level: 5, members: 3 } },
  ])("are refused where they do not: %j", async (options) => {
    expect((await validate(options)).issues).toHaveLength(1);
  });

  it("are those of the JSON Schema", () => {
    const properties = raidDriver.optionsSchema?.["properties"] as Record<string, unknown>;
    expect(Object.keys(properties)).toEqual(["uuid", "degraded", "force", "layout", "create", "dmRaid"]);
  });
});
