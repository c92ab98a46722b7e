import { Op, readBytes, writeBytes } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it, test } from "vitest";
import { hasBit } from "../src/metadata/bitmap.ts";
import { readBitmap } from "../src/metadata/member-scan.ts";
import { decodeSuperblock } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions } from "./support/layer-bench.ts";

const KIB = 1024;
const BITMAP = { bitmap: "internal", bitmapChunkSize: 64 * KIB } as const;

/** An array of every level that can lose a member, in sync and with random contents. */
const LEVELS: readonly (readonly [string, LayerBenchOptions])[] = [
  ["RAID1", { create: { level: 1, ...BITMAP }, memberCount: 3 }],
  ["RAID4", { create: { level: 4, chunkSize: 64 * KIB, ...BITMAP }, memberCount: 3 }],
  ["RAID5", { create: { level: 5, chunkSize: 64 * KIB, ...BITMAP }, memberCount: 4 }],
  ["RAID6", { create: { level: 6, chunkSize: 64 * KIB, ...BITMAP }, memberCount: 4 }],
  ["RAID10", { create: { level: 10, chunkSize: 64 * KIB, ...BITMAP }, memberCount: 4 }],
  ["RAID10 far", { create: { level: 10, layout: 0x201, chunkSize: 64 * KIB, ...BITMAP }, memberCount: 3 }],
];

// Half a MiB is left for data.
const SMALL = 1536 * KIB;

async function whole(options: LayerBenchOptions): Promise<{ bench: LayerBench; data: Uint8Array }> {
  const bench = await LayerBench.create({ deviceSize: SMALL, ...options });
  await bench.open();
  const data = new Random(7).bytes(bench.device.size);
  await bench.write(0, data);
  await bench.idle();
  return { bench, data };
}

function states(bench: LayerBench): string[] {
  return bench.layer.array.members.map(({ state }) => state);
}

describe.each(LEVELS)("%s", (_name, options) => {
  it("is resynced in the background after it was made, and a check finds nothing", async () => {
    const bench = await LayerBench.create({ deviceSize: SMALL, ...options });
    const layer = await bench.open();
    expect(layer.array.unsynced).not.toEqual([]);
    await bench.idle();
    expect(layer.array.unsynced).toEqual([]);
    expect(await bench.drive(layer.check())).toBe(0);
    await bench.close();
    expect((await bench.superblockOf(0))!.resyncSectors).toBeNull();
  });

  it("has every page counted that does not match, by a check and by the repair that makes it match", async () => {
    const { bench } = await whole(options);
    const { dataOffsetSectors } = (await bench.superblockOf(1))!;
    const spoiled = new Random(3).bytes(4 * KIB);
    await bench.drive(
      writeBytes(bench.disks[1]!.disk, bench.environment, dataOffsetSectors * 512 + 8 * KIB, spoiled, false),
    );
    expect(await bench.drive(bench.layer.check())).toBe(4 * KIB);
    expect(await bench.drive(bench.layer.repair())).toBe(4 * KIB);
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
  });

  it("loses a member, gets another, and holds the same without any one of them", async () => {
    const { bench, data } = await whole(options);
    await bench.drive(bench.layer.failMember(1));
    expect(states(bench)[1]).toBe("failed");
    expect(await bench.read()).toEqual(data);
    await bench.drive(bench.layer.removeMember("d1"));
    expect(states(bench)[1]).toBe("missing");
    const fresh = bench.addDisk();
    await bench.drive(bench.layer.addMember(fresh.fault, fresh.name));
    await bench.idle();
    expect(new Set(states(bench))).toEqual(new Set(["in sync"]));
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
    expect((await bench.superblockOf(0))!.roles[options.memberCount]).toBe(1);
    for (let missing = 0; missing < bench.disks.length; missing++) {
      if (missing === 1) continue;
      await bench.open({ missing: [missing, 1] });
      expect(await bench.read()).toEqual(data);
      bench.layer.pauseSync();
      await bench.close();
    }
  });

  it("takes a member back and copies only what the bitmap marks", async () => {
    const { bench, data } = await whole(options);
    await bench.close();
    await bench.open();
    await bench.drive(bench.layer.failMember(1));
    await bench.drive(bench.layer.removeMember(1));
    const change = new Random(8).bytes(4 * KIB);
    await bench.write(32 * KIB, change);
    data.set(change, 32 * KIB);
    bench.forget();
    await bench.drive(bench.layer.reAddMember(bench.disks[1]!.fault, "d1"));
    await bench.idle();
    const written = bench.disks[1]!.disk.log.filter(
      ({ op, offset }) => op === Op.write && offset >= 1024 * KIB,
    ).reduce((sum, { length }) => sum + length, 0);
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThanOrEqual(128 * KIB);
    expect(new Set(states(bench))).toEqual(new Set(["in sync"]));
    expect(await bench.drive(bench.layer.check())).toBe(0);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });

  it("takes nobody back by the bitmap that another has stood in for since", async () => {
    const { bench, data } = await whole(options);
    await bench.drive(bench.layer.failMember(1));
    await bench.drive(bench.layer.removeMember(1));
    const change = new Random(8).bytes(4 * KIB);
    await bench.write(32 * KIB, change);
    data.set(change, 32 * KIB);
    const fresh = bench.addDisk();
    await bench.drive(bench.layer.addMember(fresh.fault, fresh.name));
    await bench.idle();
    await bench.close();
    // The bits of what it missed are gone: the one that stood in has all of it.
    await bench.open({ missing: [1, bench.disks.length - 1] });
    await expect(bench.drive(bench.layer.reAddMember(bench.disks[1]!.fault, "d1"))).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });

  it("has a spare step in by itself, and writes meanwhile reach it", async () => {
    const { bench, data } = await whole({ ...options, spareCount: 1 });
    const random = new Random(3);
    bench.disks[0]!.fault.lose();
    for (let count = 0; count < 30; count++) {
      const offset = 512 * random.below((data.length - 8192) / 512);
      const change = random.bytes(512 * random.between(1, 16));
      await bench.write(offset, change);
      data.set(change, offset);
    }
    await bench.idle();
    expect(new Set(states(bench))).toEqual(new Set(["in sync"]));
    expect(bench.layer.array.faulty.map(({ name }) => name)).toEqual(["d0"]);
    expect(await bench.drive(bench.layer.check())).toBe(0);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });

  it("goes on with a rebuild where it stopped", async () => {
    const { bench, data } = await whole({ ...options, spareCount: 1, deviceSize: 4096 * KIB });
    await bench.close();
    // Slow enough that it is closed in the middle.
    await bench.open({ missing: [2], speedLimit: { maxKiB: 256 } });
    await bench.pass(4000);
    expect(bench.layer.action).toBe("recover");
    const { done } = bench.layer.progress!;
    expect(done).toBeGreaterThan(0);
    await bench.close();
    const superblock = (await bench.superblockOf(options.memberCount))!;
    expect(superblock.recoverySectors * 512).toBeGreaterThanOrEqual(done);
    bench.progress.length = 0;
    await bench.open({ missing: [2] });
    await bench.idle();
    expect(bench.progress[0]!.done).toBeGreaterThanOrEqual(done);
    expect(new Set(states(bench))).toEqual(new Set(["in sync"]));
    expect(await bench.drive(bench.layer.check())).toBe(0);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });

  it("grows, and what is new is resynced", async () => {
    const small = { ...options, create: { ...options.create, size: 256 * KIB } };
    if (_name === "RAID10 far") {
      const { bench } = await whole(small);
      await expect(bench.drive(bench.layer.growSize("max"))).rejects.toMatchObject({ code: "CEV_INVALID" });
      return bench.close();
    }
    const { bench, data } = await whole(small);
    const { size } = bench.layer.limits;
    await bench.drive(bench.layer.growSize("max"));
    expect(bench.layer.limits.size).toBeGreaterThan(size);
    await bench.idle();
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
    await bench.open();
    expect(bench.device.size).toBeGreaterThan(size);
    expect(await bench.read(0, size)).toEqual(data);
    const more = new Random(4).bytes(bench.device.size - size);
    await bench.write(size, more);
    expect(await bench.read(size, more.length)).toEqual(more);
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
  });
});

describe("components that have become larger", () => {
  it("give their room to the array, and a cut in between leaves superblocks that belong together", async () => {
    const bench = await LayerBench.create({
      create: { level: 5, chunkSize: 16 * KIB, assumeClean: true, ...BITMAP },
      memberCount: 3,
      deviceSize: SMALL,
    });
    // The same disks, half a MiB larger.
    const images = bench.disks.map(({ disk }) => disk.bytes.slice());
    bench.disks.length = 0;
    for (const image of images) bench.addDisk(2048 * KIB).disk.bytes.set(image);
    await bench.open();
    const { size } = bench.layer.limits;
    const data = new Random(5).bytes(size);
    await bench.write(0, data);
    const superblocks = (): Superblock[] =>
      bench.disks.map(({ name, disk: { bytes } }) =>
        decodeSuperblock(bytes.subarray(4096, 8192), {
          source: name,
          deviceSize: bytes.length,
          version: "1.2",
          byteOffset: 4096,
        }),
      );
    const [before] = superblocks();
    let isGrown = false;
    const growing = bench.layer.growSize("max").then(() => void (isGrown = true));
    // Whenever one of them tells the new size, all have said that they have room for it.
    while (!isGrown) {
      await bench.pass(0);
      const now = superblocks();
      const size = Math.max(...now.map(({ sizeSectors }) => sizeSectors));
      for (const { dataSizeSectors } of now) expect(dataSizeSectors).toBeGreaterThanOrEqual(size);
    }
    await growing;
    expect(superblocks()[0]!.sizeSectors).toBe(2 * before!.sizeSectors);
    await bench.idle();
    expect(bench.layer.limits.size).toBe(2 * size);
    await bench.close();
    await bench.open();
    expect(await bench.read(0, size)).toEqual(data);
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
  });
});

describe("a member that is removed while a spare steps in for it", () => {
  it.each([0, 1, 2, 3, 4, 6, 8])("goes alone, %i turns after its failure was recorded", async (turns) => {
    const { bench, data } = await whole({ create: { level: 1, ...BITMAP }, memberCount: 2, spareCount: 1 });
    const writes: Promise<void>[] = [];
    // The spare gets its place between two of them.
    const write = (): void => void writes.push(bench.device.write(0, data.subarray(0, 4 * KIB)));
    write();
    let isRecorded = false;
    const failing = bench.layer.failMember(1).then(() => void (isRecorded = true));
    while (!isRecorded) {
      write();
      await bench.world.turns(1);
    }
    write();
    await bench.world.turns(turns);
    write();
    await bench.drive(Promise.all([failing, bench.layer.removeMember("d1"), ...writes]));
    await bench.idle();
    const { members, spares, faulty } = bench.layer.array;
    expect(members.map(({ name, state }) => [name, state])).toEqual([
      ["d0", "in sync"],
      ["d2", "in sync"],
    ]);
    expect([spares, faulty]).toEqual([[], []]);
    expect(await bench.drive(bench.layer.check())).toBe(0);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });
});

test("a spare that steps in while it is to be removed is in use, and stays", async () => {
  const { bench, data } = await whole({ create: { level: 1, ...BITMAP }, memberCount: 2, spareCount: 1 });
  const writes = [bench.device.write(0, data.subarray(0, 4 * KIB))];
  let isRecorded = false;
  const failing = bench.layer.failMember(1).then(() => void (isRecorded = true));
  while (!isRecorded) {
    writes.push(bench.device.write(0, data.subarray(0, 4 * KIB)));
    await bench.world.turns(1);
  }
  writes.push(bench.device.write(0, data.subarray(0, 4 * KIB)));
  const removing = bench.layer.removeMember("d2").catch((error: unknown) => error);
  await bench.drive(Promise.all([failing, ...writes]));
  expect(await bench.drive(removing)).toMatchObject({ code: "CEV_BUSY" });
  await bench.idle();
  expect(states(bench)).toEqual(["in sync", "in sync"]);
  expect(await bench.read()).toEqual(data);
  await bench.close();
});

describe("a RAID10 whose copies lie in the next row", () => {
  it("takes a single row more for nothing, and has nothing to resync then", async () => {
    const chunkSize = 16 * KIB;
    const { bench, data } = await whole({
      create: { level: 10, layout: 0x10201, chunkSize, size: 16 * chunkSize },
      memberCount: 3,
    });
    await bench.drive(bench.layer.growSize(17 * chunkSize));
    expect(bench.layer.array.unsynced).toEqual([]);
    await bench.idle();
    expect(bench.layer.limits.size).toBe(data.length);
    expect(await bench.read()).toEqual(data);
    await bench.drive(bench.layer.growSize(18 * chunkSize));
    await bench.idle();
    expect(bench.layer.limits.size).toBeGreaterThan(data.length);
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
  });
});

describe("a bitmap that grows with its array", () => {
  // While the superblocks are told of the room, and while the array grows.
  it.each([0, 2, 4, 8, 16])("marks what is written %i turns after that began", async (turns) => {
    const bench = await LayerBench.create({
      create: { level: 1, assumeClean: true, bitmap: "internal", bitmapChunkSize: 16 * KIB },
      memberCount: 2,
      deviceSize: SMALL,
    });
    const images = bench.disks.map(({ disk }) => disk.bytes.slice());
    bench.disks.length = 0;
    for (const image of images) bench.addDisk(2048 * KIB).disk.bytes.set(image);
    await bench.open();
    expect(bench.layer.markedCount).toBe(0);
    const growing = bench.layer.growSize("max");
    await bench.world.turns(turns);
    const writing = bench.device.write(64 * KIB, new Random(6).bytes(4 * KIB));
    await bench.drive(Promise.all([growing, writing]));
    const { name, disk } = bench.disks[0]!;
    const target = {
      source: name,
      size: disk.limits.size,
      read: (offset: number, length: number) => readBytes(disk, bench.environment, offset, length),
    };
    const { bits } = (await bench.drive(readBitmap(target, (await bench.superblockOf(0))!)))!;
    expect(hasBit(bits, 4)).toBe(true);
    expect(hasBit(bits, 0)).toBe(false);
    await bench.close();
  });
});
