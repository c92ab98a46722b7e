import { Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { EngineBench } from "./support/engine-bench.ts";
import { CHUNK, MEMBER_SIZE, RAID5, RAID6, filled } from "./support/parity-arrays.ts";
import { mapOf, rebuild, wrongParity } from "./support/parity-reference.ts";

describe("what cannot be read", () => {
  test("of two members in the same rows is had with Q, by one more read", async () => {
    const { bench, data } = await filled(RAID6);
    const map = mapOf(bench.geometry);
    const [first, second] = [map.dataMember(0, 0), map.dataMember(0, 1)];
    for (const member of [first, second]) bench.faults[member]!.addBadRange(8192, 4096);
    expect(await bench.read(0, 4096)).toEqual(data.subarray(0, 4096));
    // The first is written anew and reads again; the second was not asked for.
    expect(await bench.read(0, 4096)).toEqual(data.subarray(0, 4096));
    expect(bench.faults[first]!.faultCount).toBe(1);
    expect(await bench.read(CHUNK, 4096)).toEqual(data.subarray(CHUNK, CHUNK + 4096));
    expect(bench.keeper.failures).toEqual([]);
  });

  test("because it is known to be bad is reconstructed and never read", async () => {
    const badBlocks = [[], [{ start: 512, end: 1024 }]];
    const { bench, data } = await filled({ ...RAID5, badBlocks });
    expect(await bench.read(0, bench.engine.size)).toEqual(data);
    const touched = bench.disks[1]!.log.filter(
      ({ op, offset, length }) => op === Op.read && offset < 8192 + 1024 && offset + length > 8192 + 512,
    );
    expect(touched).toEqual([]);
    expect(bench.disks[1]!.log.filter(({ op }) => op === Op.write)).toEqual([]);
  });

  test("of another member fails only the rows of a missing one that need it", async () => {
    const { bench, data } = await filled({ ...RAID5, missing: [0] });
    bench.faults[1]!.addBadRange(8192, 512);
    const start = mapOf(bench.geometry).arrayOffsetOf(0, 0);
    const failed = await bench.run(Op.read, start, CHUNK, new Uint8Array(CHUNK));
    expect(failed.error?.code).toBe("CEV_DEGRADED");
    expect(failed.transferred).toBe(0);
    expect(await bench.read(start + 4096, 4096)).toEqual(data.subarray(start + 4096, start + CHUNK));
  });

  test("of a check is worked out and written back, page by page where several members have bad places", async () => {
    for (const options of [RAID5, RAID6]) {
      const { bench, data } = await filled(options);
      // One in each page, RAID6 two: as many as there is parity.
      for (const [member, fault] of bench.faults.entries()) {
        fault.addBadRange(8192 + 4096 * (member % 4), 512);
        if (options === RAID6) fault.addBadRange(8192 + 4096 * ((member + 1) % 4) + 1024, 512);
      }
      bench.faults[4]?.reset();
      for (let at = 0; at < MEMBER_SIZE; at += CHUNK)
        expect(await bench.engine.syncSlice(at, at + CHUNK, "check")).toBe(0);
      const counts = bench.faults.map((fault) => fault.faultCount);
      expect(bench.keeper.failures).toEqual([]);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
      // Nothing is bad any more.
      for (let at = 0; at < MEMBER_SIZE; at += CHUNK) await bench.engine.syncSlice(at, at + CHUNK, "check");
      expect(bench.faults.map((fault) => fault.faultCount)).toEqual(counts);
      expect(await bench.read(0, bench.engine.size)).toEqual(data);
    }
  });

  test("by more members than there is parity for is refused by a check, which names them", async () => {
    const { bench } = await filled(RAID5);
    for (const member of [0, 2]) bench.faults[member]!.addBadRange(8192, 512);
    await expect(bench.engine.syncSlice(0, CHUNK, "check")).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await expect(bench.engine.syncSlice(0, CHUNK, "check")).rejects.toThrow("disk2");
    expect(bench.keeper.failures).toEqual([]);
  });
});

describe("where the parity is in doubt", () => {
  const unsynced = [{ start: 0, end: CHUNK }];

  test("a small write makes it from the data, whatever it was", async () => {
    for (const options of [RAID5, RAID6]) {
      const bench = new EngineBench({
        ...options,
        unsynced,
        contents: (member) => new Random(member + 1).bytes(MEMBER_SIZE),
      });
      await bench.write(0, new Random(5).bytes(CHUNK));
      const wrong = wrongParity(bench.geometry, (member) => bench.dataOf(member));
      expect(wrong.filter((place) => place.startsWith("stripe 0"))).toEqual([]);
    }
  });

  test("nothing is reconstructed from P alone", async () => {
    const { bench } = await filled(RAID5);
    bench.array.unsync(unsynced[0]!);
    const member = mapOf(bench.geometry).dataMember(0, 0);
    bench.faults[member]!.addBadRange(8192, 512);
    const io = await bench.run(Op.read, 0, 512, new Uint8Array(512));
    expect(io.error?.code).toBe("CEV_DEGRADED");
  });

  test("RAID6 reconstructs what both parities agree on, and nothing else", async () => {
    const { bench, data } = await filled(RAID6);
    bench.array.unsync(unsynced[0]!);
    const map = mapOf(bench.geometry);
    const member = map.dataMember(0, 0);
    bench.faults[member]!.addBadRange(8192, 512);
    expect(await bench.read(0, 4096)).toEqual(data.subarray(0, 4096));
    bench.faults[member]!.addBadRange(8192, 512);
    bench.dataOf(map.qMember(0))[5]! ^= 1;
    const io = await bench.run(Op.read, 0, 512, new Uint8Array(512));
    expect(io.error?.code).toBe("CEV_DEGRADED");
  });
});

describe("a rebuild", () => {
  test("writes zeroes as holes, so that a sparse member stays sparse", async () => {
    for (const options of [RAID5, RAID6]) {
      const bench = new EngineBench({ ...options, recoveredTo: [null, 0] });
      const map = mapOf(bench.geometry);
      await bench.write(map.stripeSize, new Random(1).bytes(map.stripeSize));
      bench.forget();
      await rebuild(bench);
      const { log } = bench.disks[1]!;
      expect(
        log.filter(({ op }) => op === Op.writeZeroes).map(({ offset, flags }) => [offset, flags]),
      ).toEqual([
        [8192, 0],
        [8192 + 2 * CHUNK, 0],
      ]);
      expect(log.filter(({ op }) => op === Op.write).length).toBe(1);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
    }
  });

  test("of a member that does not know holes writes zeroes as data", async () => {
    const bench = new EngineBench({
      ...RAID5,
      support: { writeZeroes: "none" },
      recoveredTo: [null, 0],
      contents: (member) => new Uint8Array(MEMBER_SIZE).fill(member === 1 ? 7 : 0),
    });
    await rebuild(bench);
    expect(bench.dataOf(1).every((byte) => byte === 0)).toBe(true);
  });

  test("that cannot be had from the others is refused by place, and no member is failed", async () => {
    const { bench } = await filled({ ...RAID5, recoveredTo: [null, 0] });
    bench.faults[2]!.addBadRange(8192 + CHUNK, 512);
    await expect(bench.engine.recoverSlice(CHUNK, 2 * CHUNK)).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      place: { cause: { code: "CEV_MEDIUM" } },
    });
    expect(bench.keeper.failures).toEqual([]);
    expect(bench.environment.buffers.bytesLent).toBe(0);
  });

  test("of a member that cannot be written fails that member", async () => {
    const { bench } = await filled({ ...RAID6, recoveredTo: [null, 0, 0] });
    bench.faults[1]!.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.write });
    bench.faults[1]!.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.writeZeroes });
    await expect(bench.engine.recoverSlice(0, CHUNK)).rejects.toMatchObject({ code: "CEV_IO" });
    expect(bench.array.members.map(({ state }) => state)).toEqual([
      "in sync",
      "failed",
      "rebuilding",
      "in sync",
      "in sync",
    ]);
  });
});
