import { CevError, IoFlag, Op } from "@cev/core";
import type { Io } from "@cev/core";
import { describe, expect, test } from "vitest";
import { EngineBench, ENGINE_DATA_START, ended } from "./support/engine-bench.ts";
import type { EngineBenchOptions } from "./support/engine-bench.ts";

const SIZE = 65_536;
const RAID1: EngineBenchOptions = { level: 1, memberSizes: [SIZE, SIZE] };
const RAID1_OF_THREE: EngineBenchOptions = { level: 1, memberSizes: [SIZE, SIZE, SIZE] };
/** near=2 over four: chunks on members 0 and 1, then on 2 and 3. */
const RAID10: EngineBenchOptions = {
  level: 10,
  layout: 0x102,
  chunkSize: 4096,
  memberSizes: [SIZE, SIZE, SIZE, SIZE],
};

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

function expectEqualCopies(bench: EngineBench): void {
  expect(bench.dataOf(0).subarray(0, SIZE)).toEqual(bench.dataOf(1).subarray(0, SIZE));
}

describe("reads", () => {
  test("a bad spot is read from the other copy, written back and read again", async () => {
    const bench = new EngineBench({ ...RAID1, contents: () => filled(SIZE, 7) });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START + 8192 + 512, 512);
    expect(await bench.read(8192 + 512, 1024)).toEqual(filled(1024, 7));
    const place = { op: Op.write, flags: 0, offset: ENGINE_DATA_START + 8192, length: 4096 };
    expect(bench.disks[0]!.log.filter(({ op }) => op === Op.write)).toEqual([place]);
    expect(bench.disks[0]!.log.at(-1)).toEqual({ ...place, op: Op.read });
    expect(bench.countsOf(Op.write)).toEqual([1, 0]);
    expect(bench.array.lostCount).toBe(0);
    bench.faults[0]!.faultCount = 0;
    expect(await bench.read(8192, 4096)).toEqual(filled(4096, 7));
    expect(bench.faults[0]!.faultCount).toBe(0);
  });

  test("of a member that is an array itself, and has lost more than it can do without, come from the other copy", async () => {
    const bench = new EngineBench({ ...RAID1, contents: () => filled(SIZE, 7) });
    bench.faults[0]!.add({ op: Op.read, fault: { kind: "error", code: "CEV_DEGRADED" }, countMax: 1 });
    expect(await bench.read(512, 512)).toEqual(filled(512, 7));
    expect(bench.array.lostCount).toBe(0);
  });

  test("of a long read only the piece that cannot be read is written back", async () => {
    const bench = new EngineBench({ ...RAID1, contents: () => filled(SIZE, 7) });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START + 20_480, 1024);
    bench.faults[1]!.addBadRange(ENGINE_DATA_START + 40_960, 1024);
    expect(await bench.read(0, SIZE)).toEqual(filled(SIZE, 7));
    const writes = bench.disks[0]!.log.filter(({ op }) => op === Op.write);
    expect(writes.map(({ offset, length }) => [offset - ENGINE_DATA_START, length])).toEqual([
      [20_480, 4096],
    ]);
    expect(bench.countsOf(Op.write)).toEqual([1, 0]);
  });

  test("a member that cannot be read even after it was written is failed", async () => {
    const bench = new EngineBench({ ...RAID1, contents: () => filled(SIZE, 7) });
    bench.faults[0]!.add({ op: Op.read, fault: { kind: "error", code: "CEV_MEDIUM" }, offset: 8192 + 512 });
    expect(await bench.read(512, 512)).toEqual(filled(512, 7));
    expect(bench.array.members[0]!.state).toBe("failed");
    expect(bench.keeper.failures).toEqual(["disk0"]);
  });

  test("read-only, nothing is written back, and the data comes from wherever it can be read", async () => {
    const bench = new EngineBench({ ...RAID1, isReadOnly: true, contents: () => filled(SIZE, 7) });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START, 512);
    bench.faults[1]!.addBadRange(ENGINE_DATA_START + 8192, 512);
    expect(await bench.read(0, 16_384)).toEqual(filled(16_384, 7));
    expect(bench.countsOf(Op.write)).toEqual([0, 0]);
  });

  test("what no copy has fails by name, and the members stay", async () => {
    for (const isReadOnly of [false, true]) {
      const bench = new EngineBench({ ...RAID1, isReadOnly });
      for (const fault of bench.faults) fault.addBadRange(ENGINE_DATA_START + 4096, 512);
      const io = await bench.run(Op.read, 0, 16_384, new Uint8Array(16_384));
      expect(io.error?.code).toBe("CEV_DEGRADED");
      expect(io.error?.message).toMatch(/disk[01]/);
      expect(io.transferred).toBe(4096);
      expect(bench.array.lostCount).toBe(0);
      expect(bench.environment.buffers.bytesLent).toBe(0);
    }
  });

  test("bad blocks of the metadata's log are never read, whatever the length of the read", async () => {
    const bench = new EngineBench({
      ...RAID1,
      contents: (member) => filled(SIZE, 7 + member),
      badBlocks: [
        [{ start: 8192, end: 8704 }],
        [
          { start: 0, end: 4096 },
          { start: 16_384, end: 16_896 },
        ],
      ],
      isReadOnly: true,
    });
    const bytes = await bench.read(0, 32_768);
    expect(new Set(bytes.subarray(0, 4096))).toEqual(new Set([7]));
    expect(new Set(bytes.subarray(8192, 8704))).toEqual(new Set([8]));
    expect(new Set(bytes.subarray(16_384, 16_896))).toEqual(new Set([7]));
  });

  test("bad blocks that share a page, each on another copy, leave all of it readable", async () => {
    for (const isReadOnly of [true, false]) {
      const bench = new EngineBench({
        ...RAID1,
        contents: (member) => filled(SIZE, 7 + member),
        badBlocks: [[{ start: 512, end: 1024 }], [{ start: 2048, end: 2560 }]],
        isReadOnly,
      });
      const bytes = await bench.read(0, 4096);
      expect([bytes[512], bytes[2048]]).toEqual([8, 7]);
    }
  });

  test("beside a bad block of the other copy a bad spot is read around, although its page cannot be repaired", async () => {
    const bench = new EngineBench({
      ...RAID1,
      contents: (member) => filled(SIZE, 7 + member),
      badBlocks: [[], [{ start: 2048, end: 2560 }]],
    });
    bench.faults[0]!.addBadRange(ENGINE_DATA_START + 512, 512);
    expect(await bench.read(0, 1024)).toEqual(filled(1024, 8));
    expect(bench.array.lostCount).toBe(0);
  });

  test("a bad block on every copy is an error until it is written; the log forgets it when the data is durable", async () => {
    const bad = [{ start: 8192, end: 9216 }];
    for (const flags of [0, IoFlag.fua]) {
      const bench = new EngineBench({ ...RAID1, badBlocks: [bad, bad] });
      expect((await bench.run(Op.read, 8192, 4096, filled(4096, 0))).error?.code).toBe("CEV_DEGRADED");
      expect((await bench.run(Op.write, 4096, 4608, filled(4608, 1), flags)).error).toBeNull();
      const ops = bench.disks[0]!.log.map(({ op }) => op).filter((op) => op !== Op.read);
      expect(ops).toEqual(flags === 0 ? [Op.write, Op.flush] : [Op.write]);
      expect(await bench.read(4096, 4608)).toEqual(filled(4608, 1));
      expect(bench.array.members.map(({ badBlocks }) => badBlocks)).toEqual([
        [{ start: 8704, end: 9216 }],
        [{ start: 8704, end: 9216 }],
      ]);
      expect((await bench.run(Op.read, 8704, 512, filled(512, 0))).error?.code).toBe("CEV_DEGRADED");
      expect(bench.keeper.endedCount).toBe(bench.keeper.startedCount);
    }
  });

  test("a bad block stays one where what was written there cannot be made durable, and the member goes", async () => {
    const bench = new EngineBench({ ...RAID1, badBlocks: [[{ start: 8192, end: 9216 }], []] });
    bench.faults[0]!.add({ op: Op.flush, fault: { kind: "error", code: "CEV_IO" } });
    await bench.write(8192, filled(4096, 1));
    expect(bench.array.members[0]!.state).toBe("failed");
    expect(bench.array.members[0]!.badBlocks).toHaveLength(1);
    expect(await bench.read(8192, 4096)).toEqual(filled(4096, 1));
  });
});

describe("writes", () => {
  test("a failed write fails the member, and succeeds once the superblocks say so", async () => {
    const bench = new EngineBench(RAID1_OF_THREE);
    bench.faults[1]!.failNth(1, "CEV_MEDIUM");
    bench.keeper.isUpdating = true;
    const io = bench.submit(Op.write, 0, 4096, filled(4096, 1));
    expect(io.isUpToDate).toBe(false);
    expect(bench.keeper.settlers).toHaveLength(1);
    bench.keeper.settle();
    await ended(io);
    expect(io.error).toBeNull();
    expect(io.transferred).toBe(4096);
    expect(bench.array.members.map(({ state }) => state)).toEqual(["in sync", "failed", "in sync"]);
    expect(bench.dataOf(2).subarray(0, 4096)).toEqual(filled(4096, 1));
  });

  test("where the last members fail before the superblocks say who did, the write does not succeed", async () => {
    const bench = new EngineBench(RAID1);
    bench.faults[1]!.failNth(1, "CEV_IO");
    bench.keeper.isUpdating = true;
    const io = bench.submit(Op.write, 0, 4096, filled(4096, 1));
    bench.array.failMember(
      bench.array.members[0]!,
      new CevError("CEV_DEVICE_LOST", "the superblock cannot be written"),
    );
    bench.keeper.settle();
    await ended(io);
    expect(io.error?.code).toBe("CEV_DEGRADED");
  });

  test("when the last copy cannot be written either the write fails, and the array takes no more", async () => {
    const bench = new EngineBench(RAID1);
    for (const fault of bench.faults) fault.add({ op: Op.write, fault: { kind: "error", code: "CEV_IO" } });
    expect((await bench.run(Op.write, 0, 4096, filled(4096, 1))).error?.code).toBe("CEV_DEGRADED");
    expect(bench.array.isBroken).toBe(true);
    expect(bench.keeper.incompleteCount).toBe(1);
    for (const fault of bench.faults) fault.reset();
    expect((await bench.run(Op.write, 0, 4096, filled(4096, 1))).error?.code).toBe("CEV_DEGRADED");
    expect(await bench.read(0, 4096)).toEqual(filled(4096, 0));
  });

  test("RAID10 bears one loss in each pair, and not both of one", async () => {
    const bench = new EngineBench(RAID10);
    bench.faults[1]!.lose();
    bench.faults[2]!.lose();
    await bench.write(0, filled(SIZE, 5));
    expect(await bench.read(0, SIZE)).toEqual(filled(SIZE, 5));
    bench.faults[3]!.lose();
    expect((await bench.run(Op.write, 0, SIZE, filled(SIZE, 6))).error?.code).toBe("CEV_DEGRADED");
  });

  test("a cancelled write whose first copy was written is written to the others as well", async () => {
    const bench = new EngineBench({ ...RAID1, completion: "byHand" });
    const io = bench.submit(Op.write, 0, 4096, filled(4096, 9), IoFlag.fua);
    bench.disks[0]!.completeNext();
    io.cancel();
    expect(io.isUpToDate).toBe(false);
    for (const disk of bench.disks) disk.completeAll();
    await ended(io);
    expect(io.error).toBeNull();
    expectEqualCopies(bench);
    expect(bench.dataOf(1)[0]).toBe(9);
    expect(bench.disks[1]!.log.map(({ flags }) => flags)).toEqual([IoFlag.fua, IoFlag.fua]);
    expect(bench.array.lostCount).toBe(0);
  });

  test("a cancelled read says so, whatever became of the member that it was read from", async () => {
    const bench = new EngineBench(RAID1);
    // Layers that do not end a request because it is cancelled.
    const held: Io[] = [];
    for (const fault of bench.faults) fault.submit = (one) => void held.push(one);
    const io = bench.submit(Op.read, 8192, 512, new Uint8Array(512));
    io.cancel();
    // Whoever stands above would take it for a loss of the whole array.
    held[0]!.fail("CEV_DEVICE_LOST", "gone", "disk");
    await ended(io);
    expect(io.error).toMatchObject({ code: "CEV_CANCELLED" });
    expect(io).toMatchObject({ offset: 8192, transferred: 0 });
    expect(bench.array.lostCount).toBe(1);
  });

  test("cancelled while it waits for the one before it, a write does nothing", async () => {
    const bench = new EngineBench({ ...RAID1, completion: "byHand" });
    const first = bench.submit(Op.write, 0, 4096, filled(4096, 1));
    const second = bench.submit(Op.write, 0, 4096, filled(4096, 2));
    const third = bench.submit(Op.write, 512, 4096, filled(4096, 3));
    second.cancel();
    for (let round = 0; round < 3; round++) for (const disk of bench.disks) disk.completeAll();
    for (const io of [first, second, third]) await ended(io);
    expect(second.error?.code).toBe("CEV_CANCELLED");
    expect(third.error).toBeNull();
    expect([bench.dataOf(0)[0], bench.dataOf(0)[512]]).toEqual([1, 3]);
    expectEqualCopies(bench);
    expect(bench.keeper.endedCount).toBe(2);
  });

  test("a full member stays, the write fails, and the copies are equal again", async () => {
    const bench = new EngineBench({ ...RAID1_OF_THREE, contents: () => filled(SIZE, 3) });
    bench.faults[1]!.add({ op: Op.write, fault: { kind: "half", code: "CEV_NO_SPACE" }, countMax: 1 });
    const io = await bench.run(Op.write, 4096, 8192, filled(8192, 1));
    expect(io.error?.code).toBe("CEV_NO_SPACE");
    expect(io.transferred).toBe(0);
    expect(bench.array.lostCount).toBe(0);
    expectEqualCopies(bench);
    expect(bench.dataOf(2)).toEqual(bench.dataOf(1));
    expect(bench.keeper.incompleteCount).toBe(0);
    expect(bench.environment.buffers.bytesLent).toBe(0);
  });

  test("a full member that cannot be followed is failed, and what was taken back from the others is written anew", async () => {
    for (const [memberSizes, failures] of [
      [[SIZE, SIZE], { op: Op.read, offset: ENGINE_DATA_START + 12_288, length: 4096 }],
      [[SIZE, SIZE, SIZE], { op: Op.read, offset: ENGINE_DATA_START + 12_288, length: 4096 }],
    ] as const) {
      const bench = new EngineBench({ level: 1, memberSizes, contents: () => filled(SIZE, 3) });
      bench.faults[0]!.add({ op: Op.write, fault: { kind: "error", code: "CEV_NO_SPACE" } });
      bench.faults[0]!.add({ ...failures, fault: { kind: "error", code: "CEV_MEDIUM" } });
      const io = await bench.run(Op.write, 4096, 16_384, filled(16_384, 1));
      expect(io.error).toBeNull();
      expect(bench.array.members[0]!.state).toBe("failed");
      expect(await bench.read(4096, 16_384)).toEqual(filled(16_384, 1));
      for (let member = 1; member < memberSizes.length; member++)
        expect(bench.dataOf(member).subarray(4096, 20_480)).toEqual(filled(16_384, 1));
    }
  });

  test("all members full, and nothing written: the write fails and no member does", async () => {
    const bench = new EngineBench(RAID10);
    for (const fault of bench.faults)
      fault.add({ op: Op.write, fault: { kind: "error", code: "CEV_NO_SPACE" } });
    expect((await bench.run(Op.write, 0, 32_768, filled(32_768, 1))).error?.code).toBe("CEV_NO_SPACE");
    expect(bench.array.lostCount).toBe(0);
    expect(bench.array.isBroken).toBe(false);
  });

  test("a member that is being rebuilt and fails a write goes; the write succeeds", async () => {
    const bench = new EngineBench({ ...RAID1, recoveredTo: [null, 0] });
    bench.faults[1]!.failNth(1, "CEV_NO_SPACE");
    await bench.write(0, filled(4096, 1));
    expect(bench.array.members[1]!.state).toBe("failed");
    expect(await bench.read(0, 4096)).toEqual(filled(4096, 1));
  });

  test("zeroes that one member cannot write fast are written slowly there; where none can they are refused", async () => {
    const bench = new EngineBench({ ...RAID1, contents: () => filled(SIZE, 3) });
    const isFast = (io: { readonly flags: number }): boolean => (io.flags & IoFlag.fastZero) !== 0;
    const slow = { fault: { kind: "error", code: "CEV_NOT_SUPPORTED" }, accepts: isFast } as const;
    bench.faults[1]!.add(slow);
    expect((await bench.run(Op.writeZeroes, 0, 4096, null, IoFlag.fastZero)).error).toBeNull();
    expectEqualCopies(bench);
    expect(bench.dataOf(1)[0]).toBe(0);
    bench.faults[0]!.add(slow);
    const io = await bench.run(Op.writeZeroes, 8192, 4096, null, IoFlag.fastZero);
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(bench.dataOf(0)[8192]).toBe(3);
    expect(bench.array.lostCount).toBe(0);
  });

  test("without write-zeroes of their own the members discard, and only what they have in common is offered", () => {
    const discardOnly = new EngineBench({ ...RAID1, support: { writeZeroes: "none" } });
    expect([discardOnly.engine.hasDiscard, discardOnly.engine.hasWriteZeroes]).toEqual([true, false]);
    const none = new EngineBench({ ...RAID1, support: { writeZeroes: "none", discard: "none" } });
    expect(none.engine.hasDiscard).toBe(false);
    expect(none.submit(Op.discard, 0, 4096).error?.code).toBe("CEV_NOT_SUPPORTED");
  });

  test("a long discard is a few requests for each member", async () => {
    const bench = new EngineBench({ ...RAID10, contents: () => filled(SIZE, 3) });
    expect((await bench.run(Op.discard, 4096 + 512, SIZE)).error).toBeNull();
    expect(bench.countsOf(Op.writeZeroes)).toEqual([1, 1, 1, 1]);
    const bytes = await bench.read(0, SIZE * 2);
    expect(bytes.findIndex((byte) => byte === 0)).toBe(4608);
    expect(bytes.lastIndexOf(0)).toBe(4608 + SIZE - 1);
  });
});
