import { BufferPool, IoFlag, Op, statusOf } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { EngineBench, ended } from "./support/engine-bench.ts";
import { CHUNK, RAID5, RAID6, filled } from "./support/parity-arrays.ts";
import { mapOf, wrongParity } from "./support/parity-reference.ts";

const BLOCK = 512;

describe("writes of one burst", () => {
  test("that are neighbours become full stripes, after the first, which does not wait", async () => {
    const { bench } = await filled(RAID5);
    await new Promise(setImmediate);
    const { size } = bench.engine;
    const data = new Random(2).bytes(size);
    const writes: Promise<void>[] = [];
    for (let at = 0; at < size; at += 2048) writes.push(bench.write(at, data.subarray(at, at + 2048)));
    await Promise.all(writes);
    // The first: it reads the other two columns, and its rows are read once more by the rest of their stripe.
    const readCount = bench.countsOf(Op.read).reduce((sum, count) => sum + count, 0);
    const writeCount = bench.countsOf(Op.write).reduce((sum, count) => sum + count, 0);
    expect(readCount).toBe(3);
    // Two for the first, three and four for the rest of its stripe, four for each of the others.
    expect(writeCount).toBe(2 + 3 + 4 + 2 * 4);
    expect(await bench.read(0, size)).toEqual(data);
    expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
  });

  test("are gathered while their stripe is busy", async () => {
    const { bench } = await filled(RAID5);
    for (const disk of bench.disks) disk.completion = "byHand";
    const data = new Random(2).bytes(3 * CHUNK);
    const first = bench.write(0, data.subarray(0, 512));
    await new Promise(setImmediate);
    const rest: Promise<void>[] = [];
    for (let at = 512; at < 3 * CHUNK; at += 512) {
      rest.push(bench.write(at, data.subarray(at, at + 512)));
      if (at % 4096 === 0) await new Promise(setImmediate);
    }
    bench.forget();
    for (let idle = 0; idle < 3; await new Promise(setImmediate))
      idle = bench.disks.some((disk) => disk.completeAll() > 0) ? 0 : idle + 1;
    await Promise.all([first, ...rest]);
    expect(bench.countsOf(Op.write).reduce((sum, count) => sum + count, 0)).toBe(2 + 3 + 4);
    expect(bench.dataOf(mapOf(bench.geometry).dataMember(0, 2)).subarray(0, CHUNK)).toEqual(
      data.subarray(2 * CHUNK),
    );
    expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
  });

  test("T2 show each the members' parts of the stripe they were gathered into", async () => {
    const { bench } = await filled(RAID5);
    for (const disk of bench.disks) disk.completion = "byHand";
    const data = new Uint8Array(512).fill(1);
    const ios = [0, 1, 2].map((index) => bench.submit(Op.write, index * 512, 512, data));
    await new Promise(setImmediate);
    // The first went alone and keeps the stripe busy; the others are one by the time it has ended.
    const isGathered = (): boolean => statusOf(ios[2]!).parts.length > 0;
    for (let turn = 0; turn < 50 && !isGathered(); turn++) {
      for (const disk of bench.disks) disk.completeAll();
      await new Promise(setImmediate);
    }
    const [one, other] = [ios[1]!, ios[2]!].map((io) => statusOf(io).parts);
    expect(one).toEqual(other);
    expect(one).toMatchObject([
      { splitBy: "raid5", collation: "gathered", event: { request: { op: "write", length: 1024 } } },
    ]);
    expect(one![0]!.event.parts.map(({ event }) => event.request?.length)).toEqual([1024, 1024]);
    for (let idle = 0; idle < 3; await new Promise(setImmediate))
      idle = bench.disks.some((disk) => disk.completeAll() > 0) ? 0 : idle + 1;
    expect(ios.map(({ isUpToDate }) => isUpToDate)).toEqual([true, true, true]);
  });

  test("end with an error each when their stripe cannot be written, and are cancelled only together", async () => {
    const { bench } = await filled(RAID5);
    for (const disk of bench.disks) disk.completion = "byHand";
    const data = new Uint8Array(512).fill(1);
    const ios = [0, 1, 2].map((index) => bench.submit(Op.write, index * 512, 512, data));
    await new Promise(setImmediate);
    ios[1]!.cancel();
    const finish = async (): Promise<void> => {
      for (let idle = 0; idle < 3; await new Promise(setImmediate))
        idle = bench.disks.some((disk) => disk.completeAll() > 0) ? 0 : idle + 1;
    };
    await finish();
    expect(ios.map(({ isUpToDate }) => isUpToDate)).toEqual([true, true, true]);
    const more = [0, 1, 2].map((index) => bench.submit(Op.write, index * 512, 512, data.fill(2)));
    for (const io of more) io.cancel();
    await finish();
    expect(more.map(({ error }) => error?.code)).toEqual(more.map(() => "CEV_CANCELLED"));
    expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
    expect(bench.keeper.startedCount).toBe(bench.keeper.endedCount);
  });
});

describe("zeroes", () => {
  const total = (bench: EngineBench, op: Op): number =>
    bench.countsOf(op).reduce((sum, count) => sum + count, 0);

  test("of whole stripes are written as zeroes by every member, with their flags; of parts of stripes as data", async () => {
    for (const options of [RAID5, RAID6]) {
      const { bench, data } = await filled(options);
      const { stripeSize, memberCount } = mapOf(bench.geometry);
      await bench.zero(Op.writeZeroes, 512, bench.engine.size - 1024, IoFlag.noHole | IoFlag.fua);
      const zeroes = bench.disks.map(({ log }) => log.filter(({ op }) => op === Op.writeZeroes));
      expect(zeroes).toEqual(
        Array.from({ length: memberCount }, () => [
          { op: Op.writeZeroes, offset: 8192 + CHUNK, length: CHUNK, flags: IoFlag.noHole | IoFlag.fua },
        ]),
      );
      const left = await bench.read(0, bench.engine.size);
      expect(left.subarray(0, 512)).toEqual(data.subarray(0, 512));
      expect(left.subarray(512, -512).every((byte) => byte === 0)).toBe(true);
      expect(left.subarray(-512)).toEqual(data.subarray(-512));
      expect(stripeSize).toBe(bench.engine.ioLengthPreferred);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
    }
  });

  test("of a part of a stripe are refused where they are to be fast", async () => {
    const { bench } = await filled(RAID5);
    const io = await bench.run(Op.writeZeroes, 512, 3 * CHUNK, null, IoFlag.fastZero);
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(total(bench, Op.write) + total(bench, Op.writeZeroes)).toBe(0);
  });

  test("that no member can write fast are refused, and nothing is lost; where one can, the others do it slowly", async () => {
    const { bench, data } = await filled(RAID5);
    const refuse = { fault: { kind: "error", code: "CEV_NOT_SUPPORTED" }, op: Op.writeZeroes } as const;
    const accepts = ({ flags }: { flags: number }): boolean => (flags & IoFlag.fastZero) !== 0;
    for (const fault of bench.faults) fault.add({ ...refuse, accepts });
    const io = await bench.run(Op.writeZeroes, 0, 3 * CHUNK, null, IoFlag.fastZero);
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(await bench.read(0, bench.engine.size)).toEqual(data);
    bench.faults[2]!.reset();
    await bench.zero(Op.writeZeroes, 0, 3 * CHUNK, IoFlag.fastZero);
    expect((await bench.read(0, 3 * CHUNK)).every((byte) => byte === 0)).toBe(true);
    expect(bench.keeper.failures).toEqual([]);
    expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
  });

  test("a discard frees whole stripes and leaves the rest; none of it reaches a member as a discard", async () => {
    const { bench, data } = await filled(RAID5);
    await bench.zero(Op.discard, 512, 6 * CHUNK);
    expect(total(bench, Op.discard)).toBe(0);
    const left = await bench.read(0, bench.engine.size);
    expect(left.subarray(0, 3 * CHUNK)).toEqual(data.subarray(0, 3 * CHUNK));
    expect(left.subarray(3 * CHUNK, 6 * CHUNK).every((byte) => byte === 0)).toBe(true);
    expect(left.subarray(6 * CHUNK)).toEqual(data.subarray(6 * CHUNK));
    await bench.zero(Op.discard, 512, 512);
    expect(await bench.read(0, bench.engine.size)).toEqual(left);
  });

  test("are not offered where a member would have to write them as data", async () => {
    const bench = new EngineBench({ ...RAID5, support: { writeZeroes: "emulated" } });
    expect([bench.engine.hasDiscard, bench.engine.hasWriteZeroes]).toEqual([false, false]);
    const io = await bench.run(Op.writeZeroes, 0, 3 * CHUNK);
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
  });

  test("that one member does not take fail that member, and count", async () => {
    const { bench } = await filled(RAID5);
    bench.faults[1]!.add({ fault: { kind: "half", code: "CEV_IO" }, op: Op.writeZeroes });
    await bench.zero(Op.writeZeroes, 0, bench.engine.size);
    expect(bench.keeper.failures).toEqual(["disk1"]);
    expect((await bench.read(0, bench.engine.size)).every((byte) => byte === 0)).toBe(true);
    expect(bench.keeper.startedCount).toBe(bench.keeper.endedCount);
  });

  test("that a member has no room for fail, and the parity fits what is there", async () => {
    const { bench } = await filled(RAID6);
    bench.faults[1]!.add({ fault: { kind: "half", code: "CEV_NO_SPACE" }, op: Op.writeZeroes });
    const io = await bench.run(Op.writeZeroes, 0, bench.engine.size);
    expect(io.error?.code).toBe("CEV_NO_SPACE");
    expect(bench.keeper.failures).toEqual([]);
    expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
  });

  test("of very many stripes are written run by run, with other writes in between", async () => {
    const bench = new EngineBench({
      level: 5,
      layout: 2,
      chunkSize: 4096,
      memberSizes: new Array<number>(3).fill(4096 * 1200),
      completion: "random",
      contents: () => new Uint8Array(4096 * 1200).fill(7),
    });
    const zero = bench.zero(Op.writeZeroes, 0, bench.engine.size - 8192);
    await bench.write(bench.engine.size - 8192, new Uint8Array(8192).fill(9));
    await zero;
    expect(bench.countsOf(Op.writeZeroes)).toEqual([3, 3, 3]);
    const left = await bench.read(0, bench.engine.size);
    expect(left.subarray(0, -8192).every((byte) => byte === 0)).toBe(true);
    expect(left.subarray(-8192).every((byte) => byte === 9)).toBe(true);
  });
});

describe("full stripes of small chunks in a row", () => {
  test("go to each member as one write, its parity among the data", async () => {
    for (const level of [4, 5, 6]) {
      const options = { level, layout: level === 4 ? 0 : 2, chunkSize: 4096 };
      const bench = new EngineBench({ ...options, memberSizes: new Array<number>(5).fill(4096 * 100) });
      const data = new Random(level).bytes(bench.engine.size);
      await bench.write(0, data);
      // 100 chunks of 4096 bytes: one write of the 64 that a run takes, and one of the rest.
      expect(bench.countsOf(Op.write)).toEqual([2, 2, 2, 2, 2]);
      expect(bench.countsOf(Op.read)).toEqual([0, 0, 0, 0, 0]);
      expect(await bench.read(0, bench.engine.size)).toEqual(data);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
    }
  });

  test("are complete also where a member fails, is full, or the write is cancelled half-way", async () => {
    for (const code of ["CEV_IO", "CEV_NO_SPACE", "CEV_NO_MEMORY"] as const) {
      const { bench } = await filled(RAID6);
      bench.faults[3]!.add({ fault: { kind: "half", code }, op: Op.write, countMax: 1 });
      const io = await bench.run(Op.write, 0, bench.engine.size, new Random(1).bytes(bench.engine.size));
      expect(io.error?.code).toBe(code === "CEV_NO_SPACE" ? code : undefined);
      expect(bench.keeper.failures).toEqual(code === "CEV_IO" ? ["disk3"] : []);
      const gone = code === "CEV_IO" ? [3] : [];
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member), gone)).toEqual([]);
      expect(bench.environment.buffers.bytesLent).toBe(0);
    }
    const { bench } = await filled(RAID6);
    for (const disk of bench.disks) disk.completion = "byHand";
    const io = bench.submit(Op.write, 0, bench.engine.size, new Uint8Array(bench.engine.size));
    bench.disks[2]!.completeNext();
    io.cancel();
    for (let idle = 0; idle < 3; await new Promise(setImmediate))
      idle = bench.disks.some((disk) => disk.completeAll() > 0) ? 0 : idle + 1;
    expect(io.isUpToDate).toBe(true);
    expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
  });
});

describe("a full member whose stripe cannot be put right either", () => {
  test.each([
    ["a part of a stripe", CHUNK, 0],
    ["full stripes in a row", 6 * CHUNK, 1],
  ])("fails the write of %s: it is old or new in every sector", async (_name, length, stripe) => {
    const { bench, data } = await filled(RAID5);
    const map = mapOf(bench.geometry);
    const victim = map.dataMember(0, 0);
    const parity = map.parityMember(stripe);
    const code = "CEV_NO_SPACE";
    bench.faults[victim]!.add({ fault: { kind: "half", code }, op: Op.write, countMax: 1 });
    // The parity is restored to what the member holds, but nobody can tell that.
    bench.faults[parity]!.add({ fault: { kind: "errorAfter", code }, op: Op.write, skipCount: 1 });
    const fresh = new Random(77).bytes(length);
    const io = await bench.run(Op.write, 0, length, fresh);
    expect(io.error?.code).toBe(code);
    expect(bench.array.members[victim]!.state).toBe("failed");
    const left = await bench.read(0, bench.engine.size);
    for (let at = 0; at < left.length; at += BLOCK) {
      const sector = left.subarray(at, at + BLOCK);
      const wanted = [data, ...(at < length ? [fresh] : [])].map((one) => one.subarray(at, at + BLOCK));
      expect(wanted.some((one) => Buffer.compare(one, sector) === 0)).toBe(true);
    }
  });
});

describe("cancels at any time", () => {
  test.each([
    ["RAID5", RAID5, null],
    ["RAID6", RAID6, null],
    ["RAID6 in memory that is hardly enough", RAID6, 40_000],
  ])(
    "leave each sector of %s old or new, the parity right, and nothing behind",
    async (_name, options, bytesMax) => {
      for (let seed = 0; seed < 12; seed++) {
        const random = new Random(seed);
        const buffers = new BufferPool(bytesMax === null ? {} : { bytesMax });
        const bench = new EngineBench({ ...options, completion: "random", seed, buffers });
        const { size } = bench.engine;
        let before = random.bytes(size);
        await bench.write(0, before);
        for (let round = 0; round < 5; round++) {
          const after = before.slice();
          const works: Promise<void>[] = [];
          for (let at = BLOCK * random.below(20); at < size;) {
            const length = Math.min(size - at, BLOCK * random.between(1, random.chance(0.2) ? 120 : 10));
            const data = random.bytes(length);
            after.set(data, at);
            const io = bench.submit(Op.write, at, length, data);
            works.push(ended(io));
            if (random.chance(0.2)) io.cancel();
            else if (random.chance(0.3)) bench.environment.later(() => io.cancel());
            if (random.chance(0.2)) await new Promise(setImmediate);
            at += length + (random.chance(0.5) ? 0 : BLOCK * random.below(8));
          }
          await Promise.all(works);
          const now = await bench.read(0, size);
          for (let at = 0; at < size; at += BLOCK) {
            const sector = Buffer.from(now.subarray(at, at + BLOCK));
            const isOld = sector.equals(before.subarray(at, at + BLOCK));
            expect(isOld || sector.equals(after.subarray(at, at + BLOCK))).toBe(true);
          }
          before = now;
        }
        expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
        expect(bench.keeper.failures).toEqual([]);
        expect(bench.keeper.startedCount).toBe(bench.keeper.endedCount);
        expect(buffers.bytesLent).toBe(0);
      }
    },
  );
});
