import { Op, openTree } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { FeatureFlag, decodeSuperblock, encodeSuperblock } from "../src/index.ts";
import type { RaidOptions, Superblock } from "../src/index.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { openArray } from "./support/open-array.ts";

const MIB = 1024 * 1024;
const CREATE: RaidOptions = { create: { level: "raid5", chunkSize: 16_384, spareCount: 1, name: "new" } };

function blanks(): MemoryLayer[] {
  return Array.from({ length: 4 }, (_, index) => new MemoryLayer(`disk${index}`, new Uint8Array(2 * MIB)));
}

describe("the option create", () => {
  it("makes the array of blank members, and assembles it ever after", async () => {
    const disks = blanks();
    const first = await openArray(disks, { options: CREATE });
    expect(first.opened.name).toBe("md/new");
    expect(first.opened.details).toMatchObject({ level: "raid5", memberCount: 3, spares: ["disk3"] });
    const data = new Random(1).bytes(first.device.size);
    await first.device.write(0, data);
    await first.layer.idle();
    await first.device.close();
    const again = await openArray([...disks].reverse(), { options: CREATE });
    expect(again.opened.details["uuid"]).toBe(first.opened.details["uuid"]);
    expect(await again.device.read(0, again.device.size)).toEqual(data);
    await again.device.close();
  });

  it.each([
    ["at its beginning", 1080],
    ["at its end", 2 * MIB - 512],
  ])("touches nothing where a member carries something %s", async (_name, at) => {
    const disks = blanks();
    disks[2]!.bytes[at] = 1;
    await expect(openArray(disks, { options: CREATE })).rejects.toMatchObject({
      code: "CEV_BUSY",
      place: { source: "disk2" },
    });
    for (const disk of disks) expect(disk.log.every(({ op }) => op === Op.read)).toBe(true);
  });

  it("writes nothing where all is only read", async () => {
    const disks = blanks();
    await expect(openArray(disks, { options: CREATE, isReadOnly: true })).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
      message: "the array is not made yet",
    });
    for (const disk of disks) expect(disk.writeCount).toBe(0);
  });

  it("is refused where somebody else writes a member", async () => {
    const disks = blanks();
    await openTree(disks[0]!);
    const claim = disks[0]!.claims.acquire({ name: "somebody" }, "write", "disk0");
    await expect(openArray(disks, { options: CREATE })).rejects.toMatchObject({ code: "CEV_BUSY" });
    claim.release();
    for (const disk of disks) expect(disk.writeCount).toBe(0);
  });
});

describe("what an opened array describes", () => {
  it("names the layout that a RAID0 was told to have, so that it can be opened again", async () => {
    const disks = [2, 3, 4].map((size, index) => new MemoryLayer(`disk${index}`, new Uint8Array(size * MIB)));
    const create = { level: 0, layout: "alternate", chunkSize: 65_536 };
    const first = await openArray(disks, { options: { create } });
    expect(first.layer.describe().options).toEqual({ uuid: first.opened.details["uuid"] });
    await first.device.close();
    // As a kernel before there was a place for it left them.
    for (const { bytes } of disks) {
      const superblock = superblockAt(bytes);
      bytes.set(
        encodeSuperblock({
          ...superblock,
          layout: 0,
          features: superblock.features & ~FeatureFlag.raid0Layout,
        }),
        4096,
      );
    }
    await expect(openArray(disks)).rejects.toMatchObject({ code: "CEV_UNKNOWN_FEATURE" });
    const told = await openArray(disks, { options: { layout: "alternate" } });
    expect(told.layer.describe().options["layout"]).toBe("alternate");
    await told.device.close();
  });
});

function superblockAt(bytes: Uint8Array): Superblock {
  const place = { source: "disk", deviceSize: bytes.length, version: "1.2", byteOffset: 4096 } as const;
  return decodeSuperblock(bytes.subarray(4096, 8192), place);
}
