import { CevError, Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { readBitmap } from "../src/metadata/member-scan.ts";
import { DeviceFlag, encodeSuperblock } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions } from "./support/layer-bench.ts";

const KIB = 1024;
const SMALL = 1536 * KIB;
const RAID5: LayerBenchOptions = {
  create: { level: 5, chunkSize: 16 * KIB, bitmap: "internal", bitmapChunkSize: 64 * KIB, assumeClean: true },
  memberCount: 3,
  deviceSize: SMALL,
};

async function opened(options: LayerBenchOptions = RAID5): Promise<LayerBench> {
  const bench = await LayerBench.create(options);
  await bench.open();
  await bench.idle();
  return bench;
}

async function clearedEvents(bench: LayerBench, number: number): Promise<bigint> {
  const { name, disk } = bench.disks[number]!;
  const superblock = (await bench.superblockOf(number))!;
  const read = async (offset: number, length: number): Promise<Uint8Array> =>
    disk.bytes.slice(offset, offset + length);
  return (await readBitmap({ source: name, size: disk.bytes.length, read }, superblock))!.head
    .clearedEventCount;
}

describe("an array that is written now and then", () => {
  it("is marked clean 200 ms after the last write, and dirty again before the next", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    expect((await bench.superblockOf(0))!.resyncSectors).toBe(0);
    const { eventCount } = (await bench.superblockOf(0))!;
    await bench.pass(1000);
    for (const number of [0, 1, 2])
      expect(await bench.superblockOf(number)).toMatchObject({
        resyncSectors: null,
        eventCount: eventCount + 1n,
      });
    bench.forget();
    await bench.write(512, new Uint8Array(512).fill(2));
    expect(await bench.superblockOf(1)).toMatchObject({ resyncSectors: 0, eventCount: eventCount + 2n });
    await bench.close();
  });

  it("stays dirty while a write is under way, however long that takes", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    for (const { disk } of bench.disks) disk.completion = "byHand";
    const write = bench.device.write(0, new Uint8Array(512).fill(2));
    await bench.pass(2000);
    for (const { disk } of bench.disks) disk.completion = "later";
    expect((await bench.superblockOf(0))!.resyncSectors).toBe(0);
    for (let idle = 0; idle < 3;) {
      idle = bench.disks.some(({ disk }) => disk.completeAll() > 0) ? 0 : idle + 1;
      await bench.pass(1);
    }
    await bench.drive(write);
    await bench.close();
  });

  it("makes what it holds durable before it says that it is clean", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    bench.forget();
    await bench.pass(1000);
    for (const { disk } of bench.disks) expect(disk.log[0]!.op).toBe(Op.flush);
    await bench.close();
  });

  it("has no timer left when it is closed, and writes nothing afterwards", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    await bench.close();
    bench.forget();
    expect(bench.world.isIdle).toBe(true);
    await bench.world.run();
    for (const { disk } of bench.disks) expect(disk.log).toEqual([]);
  });
});

describe("the bitmap", () => {
  it("is cleared some periods after the last write to a range, and what is written meanwhile stays marked", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    await bench.write(400 * KIB, new Uint8Array(512).fill(1));
    expect(await bench.bitsOf(0)).toEqual([0, 3]);
    for (let count = 0; count < 16; count++) {
      await bench.pass(1000);
      await bench.write(400 * KIB, new Uint8Array(512).fill(2));
    }
    expect(await bench.bitsOf(0)).toEqual([3]);
    await bench.pass(20_000);
    for (const number of [0, 1, 2]) expect(await bench.bitsOf(number)).toEqual([]);
    await bench.close();
  });

  it("is cleared as the array is closed, and a member that does not take that has failed when it is", async () => {
    for (let failing = 1; ; failing++) {
      const bench = await opened();
      await bench.write(0, new Uint8Array(512).fill(1));
      // Marked clean, and the bits not yet cleared.
      await bench.pass(1000);
      bench.disks[0]!.fault.failNth(failing);
      await bench.close();
      if (bench.layer.array.lostCount === 0) {
        expect(failing).toBeGreaterThan(2);
        return;
      }
      bench.forget();
      expect((await bench.superblockOf(1))!.roles[0]).toBe(0xfffe);
      await bench.world.run();
      expect(bench.disks.flatMap(({ disk }) => disk.log.filter(({ op }) => op !== Op.read))).toEqual([]);
    }
  });

  it("says up to which event all members hold everything before a bit is cleared", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    const { eventCount } = (await bench.superblockOf(0))!;
    expect(await clearedEvents(bench, 0)).toBeLessThan(eventCount);
    await bench.pass(20_000);
    expect(await bench.bitsOf(0)).toEqual([]);
    expect(await clearedEvents(bench, 0)).toBe(eventCount);
    await bench.close();
  });

  it("says so also before the array is closed clears them: they may lie in one block, of which a cut leaves a part", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    const { eventCount } = (await bench.superblockOf(0))!;
    const { disk } = bench.disks[0]!;
    const submit = disk.submit.bind(disk);
    const seen: (readonly [cleared: bigint, bits: number])[] = [];
    disk.submit = (io) => {
      if (io.op === Op.write && io.offset === 8192) {
        const view = new DataView(io.data.buffer, io.data.byteOffset + io.dataOffset, io.length);
        seen.push([view.getBigUint64(32, true), view.getUint8(256) & 1]);
      }
      submit(io);
    };
    await bench.close();
    const first = seen.findIndex(([, bits]) => bits === 0);
    expect(first).toBeGreaterThan(0);
    expect(seen[first - 1]).toEqual([eventCount, 1]);
  });

  it("keeps its bits while a member is missing, and does not say that it holds everything", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    await bench.pass(20_000);
    const cleared = await clearedEvents(bench, 0);
    await bench.drive(bench.layer.failMember(2));
    await bench.write(0, new Uint8Array(512).fill(2));
    await bench.pass(60_000);
    expect(await bench.bitsOf(0)).toEqual([0]);
    expect(await clearedEvents(bench, 0)).toBe(cleared);
    await bench.close();
    expect(await bench.bitsOf(0)).toEqual([0]);
    expect(await clearedEvents(bench, 0)).toBe(cleared);
  });

  it("is cleared only after what it stood for is durable on all members", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    await bench.pass(4000);
    bench.forget();
    await bench.pass(16_000);
    for (const { disk } of bench.disks) {
      const cleared = disk.log.findIndex(({ op, offset }) => op === Op.write && offset === 8192);
      const flushed = disk.log.findIndex(({ op }) => op === Op.flush);
      expect(cleared).toBeGreaterThan(flushed);
      expect(flushed).toBeGreaterThanOrEqual(0);
    }
    await bench.close();
  });

  it("has a bit on all members before any write to its range begins, also one that comes while it is being set", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    const dataStart = (await bench.superblockOf(0))!.dataOffsetSectors * 512;
    bench.forget();
    for (const { disk } of bench.disks) disk.completion = "byHand";
    const first = bench.device.write(400 * KIB, new Uint8Array(512).fill(1));
    await bench.pass(1);
    const second = bench.device.write(440 * KIB, new Uint8Array(512).fill(2));
    await bench.pass(1);
    const reached = bench.disks.flatMap(({ disk }) => disk.log);
    expect(reached.length).toBeGreaterThan(0);
    expect(reached.filter(({ offset }) => offset >= dataStart)).toEqual([]);
    for (const { disk } of bench.disks) {
      disk.completion = "later";
      disk.completeAll();
    }
    await bench.drive(Promise.all([first, second]));
    await bench.close();
  });

  it("of a RAID10 counts bytes of the array", async () => {
    const bench = await opened({
      create: {
        level: 10,
        chunkSize: 16 * KIB,
        bitmap: "internal",
        bitmapChunkSize: 64 * KIB,
        assumeClean: true,
      },
      memberCount: 4,
      deviceSize: SMALL,
    });
    await bench.write(640 * KIB, new Uint8Array(512).fill(1));
    expect(await bench.bitsOf(3)).toEqual([10]);
    await bench.close();
  });
});

describe("arrays without redundancy", () => {
  it.each(["linear", 0] as const)(
    "of level %s are written without a word in the superblocks",
    async (level) => {
      const bench = await opened({
        create: { level: level === "linear" ? -1 : 0, chunkSize: 16 * KIB },
        memberCount: 2,
        deviceSize: SMALL,
      });
      const before = await bench.superblockOf(0);
      const data = new Random(1).bytes(bench.device.size);
      await bench.write(0, data);
      await bench.pass(60_000);
      await bench.close();
      expect(await bench.superblockOf(0)).toEqual(before);
      await bench.open();
      expect(await bench.read()).toEqual(data);
      await expect(bench.drive(bench.layer.failMember(0))).rejects.toMatchObject({ code: "CEV_DEGRADED" });
      await expect(bench.drive(bench.layer.check())).rejects.toMatchObject({ code: "CEV_DEGRADED" });
      await bench.close();
    },
  );
});

describe("superblocks of version 0.90", () => {
  it("number members by their places, and spares behind them", async () => {
    const bench = await opened({
      create: { level: 5, chunkSize: 16 * KIB, version: "0.90", assumeClean: true },
      memberCount: 3,
      spareCount: 1,
      deviceSize: SMALL,
    });
    const data = new Random(1).bytes(bench.device.size);
    await bench.write(0, data);
    await bench.drive(bench.layer.failMember(1));
    await bench.idle();
    await bench.drive(bench.layer.removeMember("d1"));
    await bench.close();
    expect(await bench.superblockOf(3)).toMatchObject({ deviceNumber: 1, resyncSectors: null });
    expect((await bench.superblockOf(3))!.roles.slice(0, 4)).toEqual([0, 1, 2, 0xffff]);
    await bench.open({ missing: [1, 0] });
    expect(bench.layer.array.members.map(({ state }) => state)).toEqual(["missing", "in sync", "in sync"]);
    expect(await bench.read()).toEqual(data);
    await bench.close();
  });
});

describe("an array that breaks", () => {
  it("acknowledges nothing any more that the superblocks do not know of", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    const { keeper, members } = bench.layer.array;
    const lost = new CevError("CEV_DEVICE_LOST", "it is gone");
    bench.layer.array.failMember(members[2]!, lost);
    bench.layer.array.failMember(members[1]!, lost);
    const settled = (): Promise<CevError | null> =>
      bench.drive(
        new Promise<CevError | null>((resolve) => keeper!.whenSettled((error) => resolve(error), null)),
      );
    expect((await settled())?.code).toBe("CEV_DEGRADED");
    // Whoever asks later, when that update has long failed, hears the same.
    expect((await settled())?.code).toBe("CEV_DEGRADED");
    expect(keeper!.isUpdating).toBe(true);
    await bench.drive(bench.device.close().catch(() => undefined));
  });
});

describe("an array that was not marked clean, with nothing left to sync", () => {
  it("is marked clean when it is opened for writing, and all members get the same bitmap", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    const images = bench.disks.map(({ disk }) => disk.bytes.slice());
    await bench.close();
    // The power went while the first bits were written: only the first member has them.
    bench.disks.forEach(({ disk }, number) => disk.bytes.set(images[number]!));
    for (const number of [1, 2]) bench.disks[number]!.disk.bytes[8192 + 256] = 0;
    // The copy that is read is that of a member without them.
    await bench.open({ bitmapOf: 1 });
    await bench.close();
    for (const number of [0, 1, 2]) {
      expect((await bench.superblockOf(number))!.resyncSectors).toBeNull();
      expect(await bench.bitsOf(number)).toEqual([]);
    }
  });
});

describe("a member that is left out, although the newest superblock calls it active", () => {
  it("is plainly older after the first update, whatever it got before a cut", async () => {
    const bench = await opened();
    await bench.write(0, new Uint8Array(512).fill(1));
    const before = bench.disks.map(({ disk }) => disk.bytes.slice());
    await bench.close();
    // The last update reached the second member alone, which is then away.
    for (const number of [0, 2]) bench.disks[number]!.disk.bytes.set(before[number]!);
    const { eventCount } = (await bench.superblockOf(1))!;
    await bench.open({ missing: [1] });
    await bench.write(0, new Uint8Array(512).fill(2));
    for (const number of [0, 2])
      expect((await bench.superblockOf(number))!.eventCount).toBeGreaterThan(eventCount);
    await bench.close();
  });
});

describe("flags of members", () => {
  it.each(["1.2", "0.90"] as const)(
    "stay what they were through every update (version %s)",
    async (version) => {
      const bench = await LayerBench.create({
        create: { level: 1, version, assumeClean: true },
        memberCount: 2,
        spareCount: 1,
        deviceSize: SMALL,
      });
      const { name, disk } = bench.disks[1]!;
      const before = (await bench.superblockOf(1))!;
      // As mdadm's --write-mostly leaves it.
      const flagged: Superblock = {
        ...before,
        deviceFlags: DeviceFlag.writeMostly,
        old:
          before.old === null
            ? null
            : {
                ...before.old,
                devices: before.old.devices.map((one) =>
                  one.number === 1 ? { ...one, flags: DeviceFlag.writeMostly } : one,
                ),
              },
      };
      disk.bytes.set(encodeSuperblock(flagged), before.superOffsetSectors * 512);
      expect((await bench.superblockOf(1))!.deviceFlags, name).toBe(DeviceFlag.writeMostly);
      await bench.open();
      await bench.write(0, new Uint8Array(512).fill(1));
      await bench.drive(bench.layer.failMember(0));
      await bench.idle();
      await bench.close();
      expect((await bench.superblockOf(1))!.deviceFlags).toBe(DeviceFlag.writeMostly);
      expect((await bench.superblockOf(2))!.deviceFlags).toBe(0);
    },
  );
});
