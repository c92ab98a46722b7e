import { MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openArray } from "../src/array.ts";
import { makeImages, placesOfMember } from "../src/images/images.ts";
import { sealSuperblock0, sealSuperblock1 } from "../src/images/metadata.ts";
import { arraySizeOf } from "../src/reference.ts";
import { shapeOf } from "../src/shape.ts";
import type { Shape } from "../src/shape.ts";
import { drive } from "../src/work/world.ts";

type Change = (superblock: DataView, member: number) => void;

const uint32 =
  (at: number, value: number): Change =>
  (superblock) =>
    superblock.setUint32(at, value, true);
const uint64 =
  (at: number, value: bigint): Change =>
  (superblock) =>
    superblock.setBigUint64(at, value, true);

const NEW = shapeOf({ bitmapChunkSize: 4096 });
const OLD = shapeOf({ version: "0.90" });

/** Opens an array whose superblocks have all been changed and given right checksums, and returns the error. */
async function errorOf(shape: Shape, change: Change, images?: Uint8Array[]): Promise<unknown> {
  const world = new SimulatedWorld({ seed: 1 });
  const { superOffset } = placesOfMember(shape);
  const disks = (images ?? makeImages(shape, new Uint8Array(arraySizeOf(shape)))).map((contents, member) => {
    const bytes = contents.subarray(superOffset, superOffset + 4096);
    change(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), member);
    if (shape.version === "0.90") sealSuperblock0(bytes);
    else sealSuperblock1(bytes);
    const layer = new MemoryLayer(world.environment, { size: contents.length, contents });
    return { name: `disk${member}.img`, layer };
  });
  const error: unknown = await drive(world, openArray(world.environment, disks)).catch(
    (reason: unknown) => reason,
  );
  for (const { layer } of disks) {
    expect(layer.log.filter(({ op }) => op !== 0)).toEqual([]);
    expect(layer.claims.count).toBe(0);
  }
  return error;
}

describe("what cannot be is named, with file, field and byte, and nothing is written", () => {
  test.each<[string, Shape, Change, string, number]>([
    ["no members", NEW, uint32(92, 0), "raid_disks", 92],
    ["more members than there are roles", NEW, uint32(92, 2 ** 31 - 1), "raid_disks", 92],
    ["a level that does not exist", NEW, uint32(72, 3), "level", 72],
    ["a layout that RAID5 does not have", NEW, uint32(76, 9), "layout", 76],
    ["chunks of no bytes", NEW, uint32(88, 0), "chunksize", 88],
    ["chunks that are no power of two", NEW, uint32(88, 24), "chunksize", 88],
    ["data that ends past the device", NEW, uint64(136, 2n ** 31n), "data_size", 136],
    ["data on top of the superblock", NEW, uint64(128, 8n), "data_offset", 128],
    ["members larger than their data", NEW, uint64(80, 2n ** 40n), "size", 80],
    ["a place that no number holds", NEW, uint64(128, 2n ** 63n), "data_offset", 128],
    ["a superblock that lies elsewhere", NEW, uint64(144, 16n), "super_offset", 144],
    ["a bitmap on top of the data", NEW, uint32(96, 24), "bitmap_offset", 96],
    ["a role that no member can have", NEW, (view) => view.setUint16(256, 77, true), "dev_roles", 256],
    ["a feature that nobody knows", NEW, uint32(8, 0x4000_0001), "feature_map", 8],
    ["version 0.90 and no members", OLD, uint32(40, 0), "raid_disks", 40],
    ["version 0.90 and a size past the device", OLD, uint32(32, 2 ** 31), "size", 32],
    ["version 0.90 and odd chunks", OLD, uint32(260, 3000), "chunk_size", 260],
  ])("%s", async (_name, shape, change, field, at) => {
    const { superOffset } = placesOfMember(shape);
    expect(await errorOf(shape, change)).toMatchObject({
      code: expect.stringMatching(/^CEV_(BAD_METADATA|UNKNOWN_FEATURE)$/) as string,
      place: { source: "disk0.img", structure: "md superblock", field, byteOffset: superOffset + at },
    });
  });

  test("two devices that claim one role", async () => {
    const shape = NEW;
    const { superOffset } = placesOfMember(shape);
    const error = await errorOf(shape, (superblock, member) => {
      if (member === 2) superblock.setUint32(160, 1, true);
    });
    expect(error).toMatchObject({
      code: "CEV_AMBIGUOUS",
      place: { structure: "md superblock", field: "dev_roles", byteOffset: superOffset + 258 },
    });
  });

  test("a member that differs in shape from the others", async () => {
    const { superOffset } = placesOfMember(NEW);
    const error = await errorOf(NEW, (superblock, member) => {
      if (member === 3) superblock.setUint32(76, 0, true);
    });
    expect(error).toMatchObject({
      code: "CEV_AMBIGUOUS",
      place: { structure: "md superblock", field: "layout", byteOffset: superOffset + 76 },
    });
  });

  test("images that were cut short", async () => {
    const images = makeImages(NEW, new Uint8Array(arraySizeOf(NEW))).map((image) => image.slice(0, 40_960));
    expect(await errorOf(NEW, () => undefined, images)).toMatchObject({
      code: "CEV_BAD_METADATA",
      place: { source: "disk0.img", structure: "md superblock", field: "data_size" },
    });
  });
});
