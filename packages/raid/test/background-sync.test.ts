import { Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { readBadBlocks } from "../src/metadata/member-scan.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions, LayerOpenOptions } from "./support/layer-bench.ts";

const KIB = 1024;
const SMALL = 1536 * KIB;
const DATA_START = 1024 * KIB;
const RAID5: LayerBenchOptions = {
  create: { level: 5, chunkSize: 16 * KIB, assumeClean: true },
  memberCount: 3,
  deviceSize: SMALL,
};
const RAID1: LayerBenchOptions = {
  create: { level: 1, bitmap: "internal", bitmapChunkSize: 64 * KIB, assumeClean: true },
  memberCount: 2,
  deviceSize: SMALL,
};

async function opened(
  options: LayerBenchOptions,
  how: LayerOpenOptions = {},
): Promise<{ bench: LayerBench; data: Uint8Array }> {
  const bench = await LayerBench.create(options);
  await bench.open(how);
  const data = new Random(7).bytes(bench.device.size);
  await bench.write(0, data);
  return { bench, data };
}

/** Spoils one byte of a member's data. */
function spoil(bench: LayerBench, number: number, offset: number): void {
  bench.disks[number]!.disk.bytes[DATA_START + offset]! ^= 0xff;
}

describe("a source that cannot be read during a rebuild", () => {
  it("is written to the log of bad blocks of what is rebuilt, is not read there, and the rest is rebuilt", async () => {
    const { bench, data } = await opened({ ...RAID5, spareCount: 1 });
    bench.disks[0]!.fault.addBadRange(DATA_START + 32 * KIB, 512);
    await bench.drive(bench.layer.failMember(1));
    await bench.idle();
    expect(bench.layer.array.members[1]!.state).toBe("in sync");
    expect(bench.layer.array.members[1]!.badBlocks).toEqual([{ start: 32 * KIB, end: 36 * KIB }]);
    expect(bench.problems.some(({ code, device }) => code === "CEV_MEDIUM" && device === "d3")).toBe(true);
    await bench.close();
    const superblock = (await bench.superblockOf(3))!;
    expect(superblock.features & FeatureFlag.badBlocks).not.toBe(0);
    const { bytes } = bench.disks[3]!.disk;
    const read = async (offset: number, length: number): Promise<Uint8Array> =>
      bytes.slice(offset, offset + length);
    expect(await readBadBlocks({ source: "d3", size: bytes.length, read }, superblock)).toEqual([
      { start: 32 * KIB, end: 36 * KIB },
    ]);
    await bench.open({ missing: [1] });
    // Stripe 2 has the unreadable range of member 0 and the bad block of member 1.
    const stripe = 2 * 32 * KIB;
    expect(await bench.read(0, stripe)).toEqual(data.subarray(0, stripe));
    const after = stripe + 32 * KIB;
    expect(await bench.read(after, data.length - after)).toEqual(data.subarray(after));
    await bench.close();
  });

  it("stops the rebuild where there is no log, names the place, and the member is not called rebuilt", async () => {
    const { bench } = await opened({ ...RAID5, create: { ...RAID5.create, version: "0.90" }, spareCount: 1 });
    bench.disks[0]!.fault.addBadRange(32 * KIB, 512);
    await bench.drive(bench.layer.failMember(1));
    await expect(bench.idle()).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      place: { offset: 32 * KIB, length: 4096 },
    });
    expect(bench.layer.array.members[1]!.state).toBe("rebuilding");
    expect(bench.problems.at(-1)!.message).toContain(`bytes ${32 * KIB} to ${36 * KIB}`);
    // Nothing is tried again and again.
    bench.forget();
    await bench.pass(10_000);
    expect(bench.disks[0]!.disk.log.filter(({ op }) => op === Op.read)).toEqual([]);
    await bench.close();
  });
});

describe("what goes on in the background", () => {
  it("tells how far it has come, and how fast", async () => {
    const { bench } = await opened(RAID5, { speedLimit: { maxKiB: 100 } });
    const check = bench.layer.check();
    await bench.pass(2000);
    const progress = bench.layer.progress!;
    expect(progress.action).toBe("check");
    expect(progress.total).toBe(512 * KIB);
    expect(progress.done).toBeGreaterThan(0);
    expect(progress.bytesPerSecond).toBeGreaterThan(50 * KIB);
    expect(progress.bytesPerSecond).toBeLessThan(180 * KIB);
    const before = bench.world.now;
    expect(await bench.drive(check)).toBe(0);
    expect(bench.world.now - before).toBeGreaterThan(2000);
    expect(bench.layer.progress).toBeNull();
    expect(bench.progress.at(-1)).toMatchObject({ action: "idle", done: 512 * KIB });
    await bench.close();
  });

  it("waits while it is paused, and goes on where it was", async () => {
    const { bench } = await opened(RAID5, { speedLimit: { maxKiB: 100 } });
    spoil(bench, 1, 0);
    spoil(bench, 1, 500 * KIB);
    const check = bench.layer.check();
    await bench.pass(2000);
    bench.layer.pauseSync();
    await bench.pass(1000);
    bench.forget();
    await bench.pass(10_000);
    expect(bench.disks[1]!.disk.log.filter(({ op }) => op === Op.read)).toEqual([]);
    bench.layer.resumeSync();
    const mismatched = await bench.drive(check);
    expect(mismatched).toBeGreaterThan(0);
    const first = bench.disks[1]!.disk.log.find(({ op }) => op === Op.read);
    expect(first!.offset).toBeGreaterThan(DATA_START + 64 * KIB);
    // Both spots were counted, before and after the pause.
    expect(await bench.drive(bench.layer.check())).toBe(mismatched);
    await bench.close();
  });

  it("is cancelled by name", async () => {
    const { bench } = await opened(RAID5, { speedLimit: { maxKiB: 100 } });
    const check = bench.layer.check();
    const refused = expect(check).rejects.toMatchObject({ code: "CEV_CANCELLED" });
    await bench.pass(1000);
    await expect(bench.layer.repair()).rejects.toMatchObject({ code: "CEV_BUSY" });
    await bench.drive(bench.layer.cancelSync());
    await bench.drive(refused);
    expect(bench.layer.action).toBe("idle");
    await bench.close();
  });

  it("goes on slowly, at the least speed, while requests come in, and fast when they do not", async () => {
    const { bench } = await opened(RAID5, { speedLimit: { minKiB: 100 } });
    const start = bench.world.now;
    expect(await bench.drive(bench.layer.check())).toBe(0);
    expect(bench.world.now - start).toBeLessThan(100);
    const check = bench.layer.check();
    let isEnded = false;
    void check.then(() => void (isEnded = true));
    for (let count = 0; count < 100; count++) {
      await bench.read(0, 512);
      await bench.pass(10);
    }
    expect(isEnded).toBe(false);
    await bench.drive(check);
    await bench.close();
  });

  it("is interrupted by a member that fails, whose place a spare takes", async () => {
    const { bench, data } = await opened({ ...RAID5, spareCount: 1 }, { speedLimit: { maxKiB: 100 } });
    const check = bench.layer.check();
    const refused = expect(check).rejects.toMatchObject({ code: "CEV_CANCELLED" });
    await bench.pass(1000);
    await bench.drive(bench.layer.failMember(0));
    await bench.drive(refused);
    bench.layer.setSpeedLimit({ maxKiB: Number.POSITIVE_INFINITY });
    await bench.idle();
    expect(bench.layer.array.members[0]).toMatchObject({ name: "d3", state: "in sync" });
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });

  it("resumes a resync where it was, after an orderly stop in the middle", async () => {
    const bench = await LayerBench.create({ ...RAID5, create: { level: 5, chunkSize: 16 * KIB } });
    await bench.open({ speedLimit: { maxKiB: 100 } });
    await bench.pass(2000);
    expect(bench.layer.action).toBe("resync");
    const { done } = bench.layer.progress!;
    await bench.close();
    const { resyncSectors } = (await bench.superblockOf(0))!;
    // It is recorded in whole stripes of any kernel.
    expect(resyncSectors! * 512).toBeGreaterThanOrEqual(done - (done % (64 * KIB)));
    expect(resyncSectors).toBeGreaterThan(0);
    expect(resyncSectors! * 512).toBeLessThan(512 * KIB);
    bench.forget();
    await bench.open();
    await bench.idle();
    const reads = bench.disks[0]!.disk.log.filter(({ op, offset }) => op === Op.read && offset >= DATA_START);
    expect(Math.min(...reads.map(({ offset }) => offset))).toBe(DATA_START + resyncSectors! * 512);
    await bench.close();
    expect((await bench.superblockOf(0))!.resyncSectors).toBeNull();
  });

  it("of a rebuild whose target fails takes the next spare", async () => {
    const { bench, data } = await opened({ ...RAID1, spareCount: 2 });
    bench.disks[2]!.fault.add({
      fault: { kind: "error", code: "CEV_IO" },
      op: Op.write,
      offset: DATA_START,
      length: SMALL,
    });
    await bench.drive(bench.layer.failMember(0));
    await bench.idle();
    expect(bench.layer.array.members[0]).toMatchObject({ name: "d3", state: "in sync" });
    expect(bench.layer.array.faulty.map(({ name }) => name)).toEqual(["d0", "d2"]);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });

  it("has no part in an array that is closed: nothing is left to run", async () => {
    const { bench } = await opened({ ...RAID1, create: { level: 1 } }, { speedLimit: { maxKiB: 50 } });
    await bench.close();
    expect(bench.world.isIdle).toBe(true);
  });
});

describe("the rules of mdadm", () => {
  it("a member in use is not removed, and one the array needs is not failed", async () => {
    const { bench } = await opened(RAID1);
    const { layer } = bench;
    await expect(bench.drive(layer.removeMember(0))).rejects.toMatchObject({ code: "CEV_BUSY" });
    await bench.drive(layer.failMember("d0"));
    await expect(bench.drive(layer.failMember("d1"))).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await expect(bench.drive(layer.failMember("d7"))).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
    await bench.close();
  });

  it("a removed member is given back: its layer can be used by others", async () => {
    const { bench } = await opened(RAID1);
    expect(bench.disks[0]!.fault.claims.count).toBe(1);
    await bench.drive(bench.layer.failMember(0));
    await bench.drive(bench.layer.removeMember(0));
    expect(bench.disks[0]!.fault.claims.count).toBe(0);
    expect(bench.layer.lowers).toEqual([bench.disks[1]!.fault]);
    await bench.close();
    expect(bench.disks[1]!.fault.claims.count).toBe(0);
  });

  it("what is too small, part of another array, or part of this one already is not added", async () => {
    const { bench } = await opened(RAID1);
    const other = await LayerBench.create({ ...RAID1, seed: 9 });
    const tiny = bench.addDisk(1200 * KIB);
    const foreign = bench.addDisk();
    foreign.disk.bytes.set(other.disks[0]!.disk.bytes);
    const { layer } = bench;
    await expect(bench.drive(layer.addMember(tiny.fault, "tiny"))).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    await expect(bench.drive(layer.addMember(foreign.fault, "x"))).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    await expect(bench.drive(layer.addMember(bench.disks[0]!.fault, "y"))).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    for (const { disk, fault } of [tiny, foreign]) {
      expect(disk.log.filter(({ op }) => op === Op.write)).toEqual([]);
      expect(fault.claims.count).toBe(0);
    }
    await bench.close();
  });

  it("a device is re-added only where it is certain what it missed", async () => {
    const { bench } = await opened({ ...RAID1, create: { level: 1, assumeClean: true } });
    const { layer } = bench;
    await bench.drive(layer.failMember(0));
    await bench.drive(layer.removeMember(0));
    await bench.write(0, new Uint8Array(512));
    await expect(bench.drive(layer.reAddMember(bench.disks[0]!.fault, "d0"))).rejects.toMatchObject({
      code: "CEV_INVALID",
      message: expect.stringContaining("no bitmap") as string,
    });
    const blank = bench.addDisk();
    await expect(bench.drive(layer.reAddMember(blank.fault, "blank"))).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    await bench.drive(layer.addMember(bench.disks[0]!.fault, "d0"));
    await bench.idle();
    expect(layer.array.lostCount).toBe(0);
    await bench.close();
  });
});

describe("halves that were run apart", () => {
  it("are not brought together by the bitmap, which knows nothing of what the other half was given", async () => {
    const { bench } = await opened(RAID1);
    await bench.pass(30_000);
    await bench.close();
    const images = bench.disks.map(({ disk }) => disk.bytes.slice());
    // The first lives on alone…
    await bench.open({ missing: [1] });
    await bench.write(64 * KIB, new Uint8Array(4096).fill(1));
    await bench.close();
    const first = bench.disks[0]!.disk.bytes.slice();
    bench.disks.forEach(({ disk }, number) => disk.bytes.set(images[number]!));
    // …and so does the second, a little longer.
    for (let times = 0; times < 2; times++) {
      await bench.open({ missing: [0] });
      await bench.write(256 * KIB, new Uint8Array(4096).fill(2));
      await bench.close();
    }
    bench.disks[0]!.disk.bytes.set(first);
    await bench.open({ missing: [0] });
    const { fault } = bench.disks[0]!;
    await expect(bench.drive(bench.layer.reAddMember(fault, "d0"))).rejects.toMatchObject({
      code: "CEV_INVALID",
      message: expect.stringContaining("apart") as string,
    });
    await bench.drive(bench.layer.addMember(fault, "d0"));
    await bench.idle();
    expect(await bench.drive(bench.layer.check())).toBe(0);
    await bench.close();
  });
});

describe("a device that is full while it is rebuilt", () => {
  it("is named as what it is, and goes on where it was once there is room", async () => {
    const { bench, data } = await opened({ ...RAID5, spareCount: 1 });
    bench.disks[3]!.fault.add({
      fault: { kind: "error", code: "CEV_NO_SPACE" },
      op: Op.write,
      offset: DATA_START + 256 * KIB,
      length: 512,
      countMax: 1,
    });
    await bench.drive(bench.layer.failMember(1));
    await expect(bench.idle()).rejects.toMatchObject({
      code: "CEV_NO_SPACE",
      message: expect.stringContaining("the rebuild of d3 stopped at byte 262144") as string,
    });
    expect(bench.layer.array.members[1]!.state).toBe("rebuilding");
    bench.layer.resumeSync();
    await bench.idle();
    expect(bench.layer.array.lostCount).toBe(0);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });
});

describe("RAID1", () => {
  it("gets more places, which spares fill, and fewer again where they are empty", async () => {
    const { bench, data } = await opened({ ...RAID1, spareCount: 1 });
    const { layer } = bench;
    await bench.drive(layer.growMembers(3));
    await bench.idle();
    expect(layer.array.members.map(({ state }) => state)).toEqual(["in sync", "in sync", "in sync"]);
    expect(bench.disks[2]!.disk.bytes.subarray(DATA_START, DATA_START + data.length)).toEqual(data);
    await expect(bench.drive(layer.growMembers(2))).rejects.toMatchObject({ code: "CEV_INVALID" });
    await bench.drive(layer.failMember(2));
    await bench.drive(layer.removeMember(2));
    await bench.drive(layer.growMembers(2));
    expect(layer.array.lostCount).toBe(0);
    await bench.close();
    expect((await bench.superblockOf(0))!.memberCount).toBe(2);
    expect(await bench.bitsOf(0)).toEqual([]);
  });
});

describe("an array that is closed as soon as it is opened", () => {
  it("does not begin the rebuild that was due, and begins it the next time", async () => {
    const { bench, data } = await opened({ ...RAID1, spareCount: 1 });
    await bench.close();
    for (let turns = 0; turns < 30; turns++) {
      await bench.open({ missing: [0], speedLimit: { maxKiB: 10 } });
      const start = bench.world.now;
      // Closed after ever more of what goes before the first piece.
      for (let turn = 0; turn < turns; turn++) bench.world.step();
      await bench.close();
      expect(bench.world.now - start).toBeLessThan(1000);
    }
    await bench.open({ missing: [0] });
    await bench.idle();
    expect(bench.layer.array.lostCount).toBe(0);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });
});
