import { IoFlag, Op, statusOf } from "@cev/core";
import { ModelDevice, Random } from "@cev/test-kit";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { ArrayBench, wrongStripes } from "./support/array-bench.ts";
import { DATA_START } from "./support/make-array.ts";
import type { ArrayShape } from "./support/make-array.ts";

const BLOCK = 512;

/** Writes that do not overlap, at once, and reads among them; all is compared with the model. */
async function round(bench: ArrayBench, model: ModelDevice, random: Random): Promise<void> {
  const { device } = bench;
  const taken: { offset: number; end: number }[] = [];
  const work: Promise<void>[] = [];
  for (let count = 0; count < 6; count++) {
    const blocks = Math.min(random.chance(0.3) ? 80 : 12, device.size / BLOCK);
    const length = BLOCK * random.between(1, blocks);
    const offset = BLOCK * random.below((device.size - length) / BLOCK + 1);
    const end = offset + length;
    if (taken.some((other) => offset < other.end && other.offset < end)) continue;
    taken.push({ offset, end });
    if (random.chance(0.7)) {
      const data = random.bytes(length);
      const before = data.slice();
      work.push(
        device.write(offset, data, { fua: random.chance(0.2) }).then(() => {
          expect(data).toEqual(before);
          model.write(offset, data);
        }),
      );
    } else {
      work.push(
        device.read(offset, length).then((data) => {
          expect(model.firstDifference(offset, data)).toBe(-1);
        }),
      );
    }
  }
  await Promise.all(work);
}

async function expectAll(bench: ArrayBench, model: ModelDevice): Promise<void> {
  expect(model.firstDifference(0, await bench.device.read(0, bench.device.size))).toBe(-1);
}

const shapes = fc.record({
  memberCount: fc.integer({ min: 2, max: 6 }),
  layout: fc.nat(5),
  chunkSize: fc.constantFrom(4096, 16_384),
  chunkCount: fc.integer({ min: 2, max: 8 }),
  version: fc.constant("1.2" as const),
  bitmapChunkSize: fc.constantFrom(2048, 8192),
});

describe("random requests, several at a time, members that answer in any order", () => {
  test.prop([shapes, fc.nat(), fc.option(fc.nat(5))], { numRuns: 40 })(
    "do what a plain array does, also with a member missing, and leave parity right",
    async (shape: ArrayShape, seed, lost) => {
      const missing = lost === null ? [] : [lost % shape.memberCount!];
      const bench = await ArrayBench.open({ shape, missing, seed, completion: "random" });
      const model = new ModelDevice(bench.device.size, true);
      const random = new Random(seed);
      for (let count = 0; count < 8; count++) await round(bench, model, random);
      await expectAll(bench, model);
      await bench.device.close();
      if (missing.length === 0) expect(wrongStripes(bench.images, shape)).toEqual([]);
      for (let other = 0; other < shape.memberCount!; other++) {
        if (missing.length > 0 && other !== missing[0]) continue;
        const again = await ArrayBench.open({ shape, missing: [other], images: bench.images });
        await expectAll(again, model);
        await again.device.close();
      }
    },
  );

  test.prop([shapes, fc.nat(), fc.nat(5), fc.nat(60)], { numRuns: 40 })(
    "do so also when a member is lost in the middle, and it is left out afterwards",
    async (shape: ArrayShape, seed, which, after) => {
      const bench = await ArrayBench.open({ shape, seed, completion: "random" });
      const model = new ModelDevice(bench.device.size, true);
      const random = new Random(seed);
      const victim = which % shape.memberCount!;
      bench.faults[victim]!.add({
        fault: { kind: "error", code: random.pick(["CEV_DEVICE_LOST", "CEV_IO", "CEV_MEDIUM"]) },
        skipCount: after,
        accepts: ({ op }) => op !== Op.read,
      });
      for (let count = 0; count < 8; count++) await round(bench, model, random);
      await expectAll(bench, model);
      const hasFailed = bench.layer.array.lostCount > 0;
      await bench.device.close();
      const again = await ArrayBench.open({ shape, images: bench.images });
      expect(again.layer.array.lostCount).toBe(hasFailed || bench.layer.array.lostCount > 0 ? 1 : 0);
      await expectAll(again, model);
      await again.device.close();
    },
  );

  test.prop([shapes, fc.nat()], { numRuns: 30 })(
    "do so also over bad spots, which are written anew from the other members",
    async (shape: ArrayShape, seed) => {
      const bench = await ArrayBench.open({ shape, seed, completion: "random" });
      const model = new ModelDevice(bench.device.size, true);
      const random = new Random(seed);
      await round(bench, model, random);
      // Bad spots of different members in different pages: one in a page can be made good.
      const size = shape.chunkSize! * shape.chunkCount!;
      for (let at = 512 * random.below(8); at < size; at += 8 * BLOCK) {
        const fault = random.pick(bench.faults);
        fault.addBadRange(DATA_START + at, BLOCK);
      }
      for (let count = 0; count < 4; count++) await round(bench, model, random);
      await expectAll(bench, model);
      expect(bench.layer.array.lostCount).toBe(0);
      await bench.device.close();
      expect(wrongStripes(bench.images, shape)).toEqual([]);
    },
  );
});

describe("the healthy read path", () => {
  it("A1 a read within a chunk reaches the member as the same Io, and comes back with its own offset", async () => {
    const bench = await ArrayBench.open({ images: await filled() });
    for (const disk of bench.disks) disk.completion = "byHand";
    const offset = bench.map.chunkSize * 5 + 1024;
    const io = bench.io(Op.read, offset, 1024, new Uint8Array(1024));
    bench.layer.submit(io);
    const [disk] = bench.disks.filter(({ pending }) => pending.length > 0);
    expect(disk!.pending[0]).toBe(io);
    expect(io.offset).toBe(DATA_START + bench.map.memberOffsetOf(offset));
    disk!.completeAll();
    expect(io.isUpToDate).toBe(true);
    expect(io.offset).toBe(offset);
  });

  it("B1 a read across chunks is split, and its parts are put together again", async () => {
    const bench = await ArrayBench.open();
    const data = new Random(1).bytes(40_960);
    await bench.device.write(512, data);
    bench.forget();
    expect(await bench.device.read(512, 40_960)).toEqual(data);
    expect(bench.countOf(Op.read)).toBe(11);
    expect(bench.countOf(Op.write)).toBe(0);
  });
});

async function filled(): Promise<Uint8Array[]> {
  const bench = await ArrayBench.open();
  await bench.device.write(0, new Random(7).bytes(bench.device.size));
  await bench.device.close();
  return bench.images;
}

describe("what a write costs", () => {
  const shape = { memberCount: 6, chunkSize: 8192 };

  it.each([
    ["a full stripe reads nothing", 0, 5 * 8192, 0, 6],
    ["a small write reads what it overwrites and the parity", 512, 512, 2, 2],
    ["most of a stripe reads the columns that stay", 0, 4 * 8192, 1, 5],
    ["two full stripes in a row read nothing, and are one write of each member", 0, 10 * 8192, 0, 6],
  ])("%s", async (_name, offset, length, readCount, writeCount) => {
    const bench = await ArrayBench.open({ shape });
    await bench.device.write(bench.device.size - 512, new Uint8Array(512));
    bench.forget();
    await bench.device.write(offset, new Random(3).bytes(length));
    expect(bench.countOf(Op.read)).toBe(readCount);
    expect(bench.countOf(Op.write)).toBe(writeCount);
    await bench.device.close();
    expect(wrongStripes(bench.images, shape)).toEqual([]);
  });

  it("FUA is carried to data and parity, and a flush to every member", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Uint8Array(512));
    bench.forget();
    await bench.device.write(0, new Uint8Array(512).fill(1), { fua: true });
    const writes = bench.disks.flatMap(({ log }) => log.filter(({ op }) => op === Op.write));
    expect(writes.map(({ flags }) => flags)).toEqual([IoFlag.fua, IoFlag.fua]);
    bench.forget();
    await bench.device.flush();
    expect(bench.disks.map(({ log }) => log.map(({ op }) => op))).toEqual([
      [Op.flush],
      [Op.flush],
      [Op.flush],
      [Op.flush],
    ]);
    await bench.device.close();
  });

  it("T2 while it is under way, its parts can be seen with the members they went to", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Uint8Array(512));
    for (const disk of bench.disks) disk.completion = "byHand";
    const io = bench.io(Op.write, 0, 3 * 4096, new Uint8Array(3 * 4096).fill(5));
    bench.layer.submit(io);
    const { parts } = statusOf(io);
    expect(parts.map(({ splitBy, collation }) => [splitBy, collation])).toEqual(
      Array.from({ length: 4 }, () => ["raid5", "data and parity"]),
    );
    for (const disk of bench.disks) disk.completeAll();
    expect(io.isUpToDate).toBe(true);
  });
});

describe("stripe locks at work", () => {
  it("what is reconstructed next to a write under way is never made of half a stripe", async () => {
    const shape = { memberCount: 3, chunkCount: 2 };
    for (let seed = 0; seed < 30; seed++) {
      const bench = await ArrayBench.open({ shape, missing: [0], completion: "random", seed });
      const random = new Random(seed);
      const lost = bench.map.memberOf(0) === 0 ? 0 : 4096;
      const other = 4096 - lost;
      const fixed = random.bytes(4096);
      await bench.device.write(lost, fixed);
      const work: Promise<unknown>[] = [];
      for (let count = 0; count < 20; count++) {
        work.push(bench.device.write(other, random.bytes(4096)));
        work.push(bench.device.read(lost, 4096).then((data) => expect(data).toEqual(fixed)));
      }
      await Promise.all(work);
      await bench.device.close();
    }
  });

  it("overlapping writes leave the data of one of them, and right parity", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const bench = await ArrayBench.open({ completion: "random", seed });
      const writes = [1, 2, 3, 4, 5].map((value) =>
        bench.device.write(0, new Uint8Array(3 * 4096).fill(value)),
      );
      await Promise.all(writes);
      const data = await bench.device.read(0, 3 * 4096);
      expect(data.every((byte) => byte === data[0])).toBe(true);
      await bench.device.close();
      expect(wrongStripes(bench.images)).toEqual([]);
    }
  });
});

describe("cancelling", () => {
  it("T1 a write whose members are being written still leaves right parity, and ends once", async () => {
    for (let cut = 0; cut < 12; cut++) {
      const bench = await ArrayBench.open();
      await bench.device.write(0, new Random(1).bytes(4096 * 3));
      for (const disk of bench.disks) disk.completion = "byHand";
      const io = bench.io(Op.write, 1024, 4096 * 7, new Uint8Array(4096 * 7).fill(9));
      bench.layer.submit(io);
      // So many requests of the members are let through before the cancel comes.
      for (let step = 0; step < cut; step++) {
        bench.disks.find(({ pending }) => pending.length > 0)?.completeNext();
        // What waits for its neighbours begins when the turn is over.
        if (step % 4 === 3) await new Promise(setImmediate);
      }
      io.cancel();
      for (let idle = 0; idle < 3; await new Promise(setImmediate))
        idle = bench.disks.some((disk) => disk.completeAll() > 0) ? 0 : idle + 1;
      expect(io.state).toBe(5);
      for (const disk of bench.disks) disk.completion = "atOnce";
      await bench.device.close();
      expect(wrongStripes(bench.images)).toEqual([]);
      expect(bench.layer.array.lostCount).toBe(0);
    }
  });
});
