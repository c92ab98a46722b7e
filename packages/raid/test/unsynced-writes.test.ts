import { Op, request } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions } from "./support/layer-bench.ts";

const KIB = 1024;
const SMALL = 1536 * KIB;

const LEVELS: readonly (readonly [string, LayerBenchOptions])[] = [
  ["RAID4", { create: { level: 4, chunkSize: 64 * KIB }, memberCount: 3 }],
  ["RAID5", { create: { level: 5, chunkSize: 64 * KIB }, memberCount: 4 }],
  ["RAID5 with a bitmap", { create: { level: 5, chunkSize: 4 * KIB, bitmap: "internal" }, memberCount: 4 }],
  ["RAID6", { create: { level: 6, chunkSize: 16 * KIB }, memberCount: 5 }],
];

/** A new array whose first resync has not begun. */
async function unsynced(options: LayerBenchOptions): Promise<LayerBench> {
  const bench = await LayerBench.create({ deviceSize: SMALL, ...options });
  // What its disks held before does not fit together.
  for (const [index, { disk }] of bench.disks.entries()) {
    const start = (await bench.superblockOf(index))!.dataOffsetSectors * 512;
    disk.bytes.set(new Random(index).bytes(SMALL - start), start);
  }
  const layer = await bench.open();
  layer.pauseSync();
  return bench;
}

describe.each(LEVELS)("a new %s that has not been resynced", (_name, options) => {
  it("has made the parity right of what was written, and can lose a member there", async () => {
    const bench = await unsynced(options);
    const { layer, environment } = bench;
    const random = new Random(9);
    const written: { offset: number; data: Uint8Array }[] = [];
    for (const [offset, length] of [
      [0, 400 * KIB],
      [600 * KIB, 4 * KIB],
      [700 * KIB + 512, 20 * KIB],
    ] as const) {
      const data = random.bytes(length);
      await bench.write(offset, data);
      written.push({ offset, data });
    }
    const { stripeSize } = { stripeSize: layer.limits.ioLengthPreferred };
    const zeroesAt = Math.ceil((800 * KIB) / stripeSize) * stripeSize;
    await bench.drive(request(layer, environment, Op.writeZeroes, zeroesAt, stripeSize));
    written.push({ offset: zeroesAt, data: new Uint8Array(stripeSize) });
    expect(layer.array.unsynced).not.toEqual([]);

    await bench.drive(layer.failMember(1));
    for (const { offset, data } of written) {
      // In whole pages: the rest of a row was not written.
      expect(Buffer.compare(await bench.read(offset, data.length), data), `at ${offset}`).toBe(0);
    }
    await bench.close();
  });
});

describe.each(LEVELS)("a new %s that was written in part of a stripe and closed", (_name, options) => {
  it("has its resync begin again at a whole stripe, where the kernel would leave out the rest of one", async () => {
    const bench = await unsynced(options);
    const random = new Random(3);
    const { layer } = bench;
    await bench.write(0, random.bytes(512));
    expect(layer.array.unsynced[0]!.start % 65_536, "what is certain ends within a stripe").not.toBe(0);
    await bench.close();
    for (const index of bench.disks.keys())
      expect((await bench.superblockOf(index))!.resyncSectors! % 128).toBe(0);
  });
});

describe("a new RAID5 that many small writes reach before its resync", () => {
  it("does not keep account of all of them, and is resynced to its end", async () => {
    const bench = await unsynced({
      create: { level: 5, chunkSize: 4 * KIB },
      memberCount: 3,
      deviceSize: 24 * 1024 * KIB,
    });
    const { layer } = bench;
    const model = new Uint8Array(bench.device.size);
    const random = new Random(2);
    for (let offset = 0; offset < bench.device.size; offset += 16 * KIB) {
      const data = random.bytes(512);
      await bench.write(offset, data);
      model.set(data, offset);
    }
    expect(layer.array.unsynced.length).toBeGreaterThan(1);
    expect(layer.array.unsynced.length).toBeLessThanOrEqual(1025);
    layer.resumeSync();
    await bench.idle();
    expect(layer.array.unsynced).toEqual([]);
    expect(await bench.drive(layer.check())).toBe(0);
    await bench.close();
  });
});

describe("a new RAID5 that loses a member before its resync, and is rebuilt", () => {
  it("says of what is lost where it begins and ends, not page by page", async () => {
    const bench = await unsynced({ create: { level: 5, chunkSize: 64 * KIB }, memberCount: 3 });
    const { layer } = bench;
    await bench.drive(layer.failMember(1));
    await bench.drive(layer.removeMember(1));
    const fresh = bench.addDisk(SMALL);
    await bench.drive(layer.addMember(fresh.fault, fresh.name));
    layer.resumeSync();
    // The parity there stays in doubt.
    await expect(bench.idle()).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    const lost = layer.array.members[1]!.badBlocks;
    const told = bench.problems.flatMap(({ message }) => {
      const found = /^bytes (\d+) to (\d+) of d3 could not be rebuilt/.exec(message);
      return found === null ? [] : [Number(found[2]) - Number(found[1])];
    });
    const sum = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0);
    expect(sum(told)).toBeGreaterThan(0);
    expect(sum(told)).toBe(sum(lost.map(({ start, end }) => end - start)));
    expect(Math.max(...told)).toBe(64 * KIB);
    await bench.close();
  });
});
