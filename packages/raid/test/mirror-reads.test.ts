import { Op } from "@cev/core";
import { describe, expect, test } from "vitest";
import { EngineBench, ENGINE_DATA_START, ended } from "./support/engine-bench.ts";
import type { EngineBenchOptions } from "./support/engine-bench.ts";

const SIZE = 262_144;
const RAID1: EngineBenchOptions = { level: 1, memberSizes: [SIZE, SIZE, SIZE] };

describe("which copy is read", () => {
  test("a read goes down as the same Io, and comes back unmoved", async () => {
    const bench = new EngineBench({ ...RAID1, completion: "byHand" });
    const io = bench.submit(Op.read, 8192, 512, new Uint8Array(512));
    const disk = bench.disks.find(({ pending }) => pending.length > 0)!;
    expect(disk.pending).toEqual([io]);
    expect(io.offset).toBe(ENGINE_DATA_START + 8192);
    disk.completeAll();
    await ended(io);
    expect(io.offset).toBe(8192);
  });

  test("streams that alternate stay each on a member of its own", async () => {
    const bench = new EngineBench({ ...RAID1, completion: "byHand" });
    const first = bench.submit(Op.read, 0, 4096, new Uint8Array(4096));
    const second = bench.submit(Op.read, 131_072, 4096, new Uint8Array(4096));
    for (const disk of bench.disks) disk.completeAll();
    await Promise.all([ended(first), ended(second)]);
    for (let at = 4096; at < 65_536; at += 4096) {
      for (const start of [0, 131_072]) {
        const io = bench.submit(Op.read, start + at, 4096, new Uint8Array(4096));
        for (const disk of bench.disks) disk.completeAll();
        await ended(io);
      }
    }
    expect(bench.countsOf(Op.read).sort((a, b) => a - b)).toEqual([0, 16, 16]);
  });

  test("a stream of many reads at once goes to all members, in runs", async () => {
    const bench = new EngineBench({ ...RAID1, completion: "byHand" });
    const ios = Array.from({ length: 48 }, (_, index) =>
      bench.submit(Op.read, index * 4096, 4096, new Uint8Array(4096)),
    );
    const counts = bench.countsOf(Op.read);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(12);
    const runs = bench.disks.map(
      ({ log }) => log.filter(({ offset }, at) => at === 0 || offset !== log[at - 1]!.offset + 4096).length,
    );
    expect(Math.max(...runs)).toBeLessThanOrEqual(6);
    for (const disk of bench.disks) disk.completeAll();
    for (const io of ios) await ended(io);
  });

  test("many reads at once are spread over all members", async () => {
    const bench = new EngineBench({ ...RAID1, completion: "byHand" });
    const ios = Array.from({ length: 30 }, (_, index) =>
      bench.submit(Op.read, ((index * 37) % 60) * 4096, 512, new Uint8Array(512)),
    );
    expect(bench.countsOf(Op.read)).toEqual([10, 10, 10]);
    for (const disk of bench.disks) disk.completeAll();
    for (const io of ios) await ended(io);
  });

  test("write-mostly members are read only where no other can be", async () => {
    const bench = new EngineBench({ ...RAID1, deviceFlags: [1, 0, 1] });
    for (let at = 0; at < 65_536; at += 8192) await bench.read(65_536 - at, 512);
    expect(bench.countsOf(Op.read)).toEqual([0, 8, 0]);
    bench.faults[1]!.lose();
    await bench.read(0, 512);
    expect(bench.countsOf(Op.read)[1]).toBe(8);
  });

  test("where copies may differ all reads see the same one, which is the one that resync keeps", async () => {
    const bench = new EngineBench({
      ...RAID1,
      deviceFlags: [1, 0, 0],
      unsynced: [{ start: 0, end: 65_536 }],
      completion: "later",
      contents: (member) => new Uint8Array(SIZE).fill(member + 1),
    });
    const reads = await Promise.all(Array.from({ length: 12 }, (_, index) => bench.read(index * 4096, 4096)));
    for (const bytes of reads) expect(new Set(bytes)).toEqual(new Set([2]));
    expect(await bench.engine.syncSlice(0, 65_536, "resync")).toBe(65_536);
    for (let member = 0; member < 3; member++) expect(bench.dataOf(member)[65_535]).toBe(2);
    expect(bench.dataOf(2)[65_536]).toBe(3);
  });

  test("a member that is being rebuilt is read below where that has come to, and not above", async () => {
    const bench = new EngineBench({
      level: 1,
      memberSizes: [SIZE, SIZE],
      recoveredTo: [null, 65_536],
      contents: (member) => new Uint8Array(SIZE).fill(member + 1),
      completion: "byHand",
    });
    const ios = Array.from({ length: 64 }, (_, index) =>
      bench.submit(Op.read, ((index * 37) % 64) * 4096, 4096, new Uint8Array(4096)),
    );
    for (const disk of bench.disks) disk.completeAll();
    for (const io of ios) await ended(io);
    expect(bench.disks[1]!.log.length).toBeGreaterThan(4);
    expect(Math.max(...bench.disks[1]!.log.map(({ offset, length }) => offset + length))).toBeLessThanOrEqual(
      ENGINE_DATA_START + 65_536,
    );
  });

  test("a long read of a far layout is spread evenly over all members, and stays in their first half", async () => {
    const bench = new EngineBench({
      level: 10,
      layout: 0x201,
      chunkSize: 4096,
      memberSizes: [SIZE, SIZE, SIZE, SIZE],
    });
    await bench.read(0, SIZE);
    expect(bench.countsOf(Op.read)).toEqual([16, 16, 16, 16]);
    for (const disk of bench.disks)
      for (const { offset, length } of disk.log)
        expect(offset + length).toBeLessThanOrEqual(ENGINE_DATA_START + SIZE / 2);
  });

  test("RAID10 of two near copies on two members reads across chunks in one request", async () => {
    const bench = new EngineBench({ level: 10, layout: 0x102, chunkSize: 4096, memberSizes: [SIZE, SIZE] });
    await bench.read(512, 65_536);
    expect(bench.countsOf(Op.read)).toEqual([1, 0]);
  });
});
