import { Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { MirrorMap } from "../src/levels/mirror-map.ts";
import { memberRuns } from "../src/mirror/mirror-runs.ts";
import { EngineBench, ENGINE_DATA_START } from "./support/engine-bench.ts";
import type { EngineBenchOptions } from "./support/engine-bench.ts";
import { COPIES_SHAPES, dealChunks, layoutNumber } from "./support/mirror-reference.ts";

const SIZE = 262_144;
const RAID1: EngineBenchOptions = { level: 1, memberSizes: [SIZE, SIZE, SIZE] };

describe("sync", () => {
  test("check counts what differs in whole pages and writes nothing", async () => {
    const bench = new EngineBench(RAID1);
    bench.dataOf(1)[5000] = 1;
    bench.dataOf(2)[5001] = 1;
    bench.dataOf(2)[100_000] = 1;
    expect(await bench.engine.syncSlice(0, SIZE, "check")).toBe(8192);
    expect(bench.countsOf(Op.write)).toEqual([0, 0, 0]);
    expect(bench.countsOf(Op.writeZeroes)).toEqual([0, 0, 0]);
  });

  test.each(["resync", "repair"] as const)("%s writes the pages that differ, and no others", async (way) => {
    const bench = new EngineBench({ ...RAID1, contents: () => new Uint8Array(SIZE).fill(5) });
    bench.dataOf(1)[5000] = 1;
    bench.dataOf(1)[9000] = 1;
    bench.dataOf(2)[100_000] = 1;
    expect(await bench.engine.syncSlice(0, SIZE, way)).toBe(3 * 4096);
    expect(bench.disks[1]!.log.filter(({ op }) => op === Op.write)).toEqual([
      { op: Op.write, flags: 0, offset: ENGINE_DATA_START + 4096, length: 8192 },
    ]);
    for (const member of [1, 2]) expect(bench.dataOf(member)).toEqual(bench.dataOf(0));
    expect(await bench.engine.syncSlice(0, SIZE, "check")).toBe(0);
  });

  test("what cannot be read is had from another copy and written back, also by a check", async () => {
    const bench = new EngineBench({ ...RAID1, contents: () => new Uint8Array(SIZE).fill(5) });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START + 8192, 512);
    bench.faults[1]!.addBadRange(ENGINE_DATA_START + 40_960, 512);
    expect(await bench.engine.syncSlice(0, SIZE, "check")).toBe(0);
    expect(bench.countsOf(Op.write)).toEqual([1, 1, 0]);
    expect(bench.array.lostCount).toBe(0);
  });

  test("what no copy has rejects by name", async () => {
    const bench = new EngineBench(RAID1);
    for (const fault of bench.faults) fault.addBadRange(ENGINE_DATA_START + 8192, 512);
    await expect(bench.engine.syncSlice(0, SIZE, "resync")).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    expect(bench.environment.buffers.bytesLent).toBe(0);
  });

  test("a member lost on the way is failed, and the others are made equal", async () => {
    const bench = new EngineBench({ ...RAID1, contents: (member) => new Uint8Array(SIZE).fill(member) });
    bench.faults[1]!.lose();
    expect(await bench.engine.syncSlice(0, SIZE, "resync")).toBe(SIZE);
    expect(bench.array.members[1]!.state).toBe("failed");
    expect(bench.dataOf(2)).toEqual(bench.dataOf(0));
  });

  test("what lies beside a bad block is synced, the bad block itself is neither read nor trusted", async () => {
    const bench = new EngineBench({
      ...RAID1,
      missing: [2],
      badBlocks: [[{ start: 40_960, end: 41_472 }], [{ start: 8704, end: 9216 }], []],
      contents: (member) => new Uint8Array(SIZE).fill(member + 1),
    });
    const mismatched = await bench.engine.syncSlice(0, SIZE, "resync");
    const expected = new Uint8Array(SIZE).fill(1);
    expected.fill(2, 8704, 9216);
    expected.fill(2, 40_960, 41_472);
    expect(bench.dataOf(1)).toEqual(expected);
    expect(mismatched).toBe(SIZE - 1024);
    expect(bench.countsOf(Op.write)).toEqual([0, 3, 0]);
  });

  test("with one copy left nothing is read", async () => {
    const bench = new EngineBench({ ...RAID1, missing: [0, 2] });
    expect(await bench.engine.syncSlice(0, SIZE, "resync")).toBe(0);
    expect(bench.countsOf(Op.read)).toEqual([0, 0, 0]);
  });
});

describe("rebuild", () => {
  test("zeroes are not written where the member does that by itself: a sparse image stays sparse", async () => {
    const bench = new EngineBench({
      ...RAID1,
      recoveredTo: [null, 0, 0],
      contents: (member) => new Uint8Array(SIZE).fill(member),
    });
    bench.dataOf(0).fill(9, 8192, 12_288);
    await bench.engine.recoverSlice(0, SIZE);
    for (const member of [1, 2]) {
      expect(bench.dataOf(member)).toEqual(bench.dataOf(0));
      expect(bench.disks[member]!.log.filter(({ op }) => op === Op.write)).toEqual([
        { op: Op.write, flags: 0, offset: ENGINE_DATA_START + 8192, length: 4096 },
      ]);
    }
    expect(bench.countsOf(Op.read)).toEqual([1, 0, 0]);
  });

  test("short chunks are read and written together where they lie together", async () => {
    const options = { level: 10, layout: 0x102, chunkSize: 4096, memberSizes: [SIZE, SIZE, SIZE, SIZE] };
    const bench = new EngineBench({
      ...options,
      recoveredTo: [null, 0, null, null],
      contents: (member) => new Uint8Array(SIZE).fill(member + 1),
    });
    await bench.engine.recoverSlice(0, SIZE);
    expect(bench.countsOf(Op.read)).toEqual([1, 0, 0, 0]);
    expect(bench.countsOf(Op.write)).toEqual([0, 1, 0, 0]);
    expect(bench.dataOf(1)).toEqual(bench.dataOf(0));
  });

  test("a bad spot of the only source rejects, one of two is read around and repaired", async () => {
    const alone = new EngineBench({ ...RAID1, missing: [2], recoveredTo: [null, 0] });
    alone.faults[0]!.addBadRange(ENGINE_DATA_START + 8192, 512);
    await expect(alone.engine.recoverSlice(0, SIZE)).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      message: expect.stringContaining("disk0") as string,
    });
    const bench = new EngineBench({
      ...RAID1,
      recoveredTo: [null, null, 0],
      contents: (member) => new Uint8Array(SIZE).fill(member === 2 ? 0 : 4),
    });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START + 8192, 512);
    await bench.engine.recoverSlice(0, SIZE);
    expect(bench.dataOf(2)).toEqual(bench.dataOf(0));
    expect(bench.countsOf(Op.write)).toEqual([1, 0, 1]);
  });

  test("a target that fails is failed and rejects; the other one is rebuilt all the same", async () => {
    const bench = new EngineBench({
      ...RAID1,
      recoveredTo: [null, 0, 0],
      contents: (member) => new Uint8Array(SIZE).fill(member + 1),
    });
    bench.faults[1]!.failNth(1);
    await expect(bench.engine.recoverSlice(0, SIZE)).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    expect(bench.array.members.map(({ state }) => state)).toEqual(["in sync", "failed", "rebuilding"]);
    expect(bench.dataOf(2)).toEqual(bench.dataOf(0));
    expect(bench.environment.buffers.bytesLent).toBe(0);
  });
});

describe("RAID10's spaces", () => {
  const cases = COPIES_SHAPES.flatMap((shape) =>
    [2, 3, 4, 5, 6]
      .filter((count) => shape.near * shape.far <= count)
      .map((memberCount) => ({ shape, memberCount })),
  );
  const CHUNK = 4096;
  const ROWS = 13;
  const geometryOf = ({ shape, memberCount }: (typeof cases)[number]) => ({
    level: 10,
    layout: layoutNumber(shape),
    chunkSize: CHUNK,
    memberCount,
    memberSizes: new Array<number>(memberCount).fill(CHUNK * ROWS),
  });

  test.each(cases)(
    "$shape.name of $memberCount: the runs of a range are its chunks' places, few of them",
    (one) => {
      const map = new MirrorMap(geometryOf(one));
      const chunks = dealChunks(one.shape, one.memberCount, ROWS);
      const random = new Random(one.memberCount);
      for (let count = 0; count < 60; count++) {
        const offset = random.below(map.size / 512) * 512;
        const length = random.between(1, (map.size - offset) / 512) * 512;
        const expected = new Set<string>();
        for (let at = offset; at < offset + length; at += 512)
          for (const { member, row } of chunks[Math.floor(at / CHUNK)]!)
            expected.add(`${member}:${row * CHUNK + (at % CHUNK)}`);
        const found: string[] = [];
        const runs = memberRuns(map, offset, length);
        for (const { member, start, end } of runs)
          for (let at = start; at < end; at += 512) found.push(`${member}:${at}`);
        expect(new Set(found)).toEqual(expected);
        expect(found).toHaveLength(expected.size);
        // The two ends may stand alone; all between is together, once for each far copy.
        expect(runs.length).toBeLessThanOrEqual(one.memberCount * (one.shape.far + 2));
      }
    },
  );

  test.each(cases)(
    "$shape.name of $memberCount: a part of a member belongs to the array's ranges that it holds",
    (one) => {
      const geometry = geometryOf(one);
      const bench = new EngineBench(geometry);
      const chunks = dealChunks(one.shape, one.memberCount, ROWS);
      for (const member of bench.array.members) {
        const from = CHUNK * 2 + 512;
        const to = CHUNK * 9 + 1024;
        const expected = new Set<number>();
        chunks.forEach((places, chunk) => {
          for (const place of places)
            for (let at = 0; at < CHUNK; at += 512) {
              const on = place.row * CHUNK + at;
              if (place.member === member.index && on >= from && on < to) expected.add(chunk * CHUNK + at);
            }
        });
        const found: number[] = [];
        for (const { start, end } of bench.engine.syncRangesOf(member, from, to))
          for (let at = start; at < end; at += 512) found.push(at);
        expect(found).toEqual([...expected].sort((a, b) => a - b));
      }
    },
  );

  test("a discard of 4 PiB takes no longer than a short one", () => {
    const map = new MirrorMap({
      level: 10,
      layout: 0x201,
      chunkSize: 4096,
      memberCount: 5,
      memberSizes: new Array<number>(5).fill(2 ** 51),
    });
    expect(memberRuns(map, 512, map.size - 1024).length).toBeLessThanOrEqual(20);
  });
});

describe("of what is under way at once, where one fails", () => {
  const CHUNK = 4096;
  /** Chunks of one member are copies of chunks of both its neighbours. */
  const OFFSET: EngineBenchOptions = {
    level: 10,
    layout: 0x10201,
    chunkSize: CHUNK,
    memberSizes: [SIZE, SIZE, SIZE],
    contents: (member) => new Uint8Array(SIZE).fill(member + 1),
  };

  test("all have ended before a rebuild gives back its memory", async () => {
    const bench = new EngineBench({ ...OFFSET, recoveredTo: [null, 0, null] });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START, SIZE);
    bench.disks[2]!.completion = "byHand";
    let isEnded = false;
    const ended = bench.engine.recoverSlice(0, 8 * CHUNK).catch(() => "failed");
    void ended.then(() => (isEnded = true));
    await turns();
    // The one that failed has been told; the other still writes into the memory.
    expect(isEnded).toBe(false);
    expect(bench.array.buffers.bytesLent).toBeGreaterThan(0);
    while (!isEnded) {
      bench.disks[2]!.completeAll();
      await turns();
    }
    expect(await ended).toBe("failed");
    expect(bench.array.buffers.bytesLent).toBe(0);
  });

  test("all have ended before a resync gives back its lock", async () => {
    const bench = new EngineBench(OFFSET);
    // Both copies of the first chunk.
    bench.faults[0]!.addBadRange(ENGINE_DATA_START, CHUNK);
    bench.faults[1]!.addBadRange(ENGINE_DATA_START + CHUNK, CHUNK);
    bench.disks[2]!.completion = "byHand";
    let isEnded = false;
    const ended = bench.engine.syncSlice(0, 6 * CHUNK, "resync").catch(() => "failed");
    void ended.then(() => (isEnded = true));
    await turns();
    expect(isEnded).toBe(false);
    while (!isEnded) {
      bench.disks[2]!.completeAll();
      await turns();
    }
    expect(await ended).toBe("failed");
  });
});

/** Everything that needs nothing from outside has happened. */
async function turns(): Promise<void> {
  for (let count = 0; count < 5; count++) await new Promise((resolve) => void setImmediate(resolve));
}
