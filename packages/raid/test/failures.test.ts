import { Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { decodeSuperblock } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { ArrayBench, wrongStripes } from "./support/array-bench.ts";
import { DATA_START } from "./support/make-array.ts";

function superblockOf(image: Uint8Array): Superblock {
  const place = { source: "disk", deviceSize: image.length, version: "1.2", byteOffset: 4096 } as const;
  return decodeSuperblock(image.subarray(4096, 8192), place);
}

const SHAPE = { bitmapChunkSize: 8192 };

describe("superblocks and bitmap", () => {
  it("say that the array is dirty before the first byte of data is written, the bitmap first", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE, completion: "later" });
    for (const disk of bench.disks) expect(disk.log.every(({ op }) => op === Op.read)).toBe(true);
    bench.forget();
    await bench.device.write(0, new Uint8Array(512).fill(1));
    for (const { log } of bench.disks) {
      const writes = log.filter(({ op }) => op === Op.write).map(({ offset }) => offset);
      // Head of the bitmap with the new event count, superblock, bit, data.
      expect(writes.slice(0, 3)).toEqual([8192, 4096, 8192]);
      for (const { op, offset, flags } of log)
        if (op === Op.write && offset < DATA_START) expect(flags).toBe(1);
    }
    for (const image of bench.images) {
      expect(superblockOf(image)).toMatchObject({ eventCount: 18n, resyncSectors: 0 });
      expect(image[8192 + 256]).toBe(1);
    }
    await bench.device.close();
  });

  it("say that the array is clean after it was closed, with no bit set", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE });
    await bench.device.write(0, new Uint8Array(512).fill(1));
    await bench.device.close();
    for (const image of bench.images) {
      const { updatedAt, ...rest } = superblockOf(image);
      expect(rest).toMatchObject({ eventCount: 19n, resyncSectors: null });
      expect(updatedAt.seconds).toBeGreaterThan(1_700_000_100);
      expect(image[8192 + 256]).toBe(0);
      const view = new DataView(image.buffer);
      expect([view.getBigUint64(8192 + 24, true), view.getBigUint64(8192 + 32, true)]).toEqual([19n, 18n]);
    }
  });

  it("say so only after what the members hold is durable", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE });
    await bench.device.write(0, new Uint8Array(512).fill(1));
    bench.forget();
    await bench.layer.close();
    for (const { log } of bench.disks) {
      expect(log.map(({ op, offset }) => [op, offset])).toEqual([
        [Op.flush, 0],
        // Up to which event all hold everything; then without bits; then the superblock.
        [Op.write, 8192],
        [Op.write, 8192],
        [Op.write, 4096],
      ]);
    }
  });

  it("are not written by an array that is only read", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE });
    const before = bench.images;
    await bench.device.read(0, bench.device.size);
    await bench.device.close();
    expect(bench.images).toEqual(before);
  });

  it("of an array with a member missing keep the bits that tell what it missed", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE, missing: [3] });
    await bench.device.write(0, new Uint8Array(512).fill(1));
    await bench.device.close();
    for (const image of bench.images.slice(0, 3)) {
      expect(superblockOf(image)).toMatchObject({ resyncSectors: null, roles: [0, 1, 2, 0xffff] });
      expect(image[8192 + 256]).toBe(1);
      expect(new DataView(image.buffer).getBigUint64(8192 + 32, true)).toBe(16n);
    }
    expect(superblockOf(bench.images[3]!).eventCount).toBe(17n);
  });
});

describe("a member that fails", () => {
  it("is named by the superblocks of the others before the write that it missed is acknowledged", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE });
    await bench.device.write(0, new Uint8Array(512).fill(1));
    const victim = bench.map.memberOf(0);
    bench.faults[victim]!.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.write });
    await bench.device.write(0, new Uint8Array(512).fill(2));
    bench.images.forEach((image, index) => {
      const { eventCount, roles } = superblockOf(image);
      expect(eventCount).toBe(index === victim ? 18n : 19n);
      if (index !== victim) expect(roles[victim]).toBe(0xfffe);
    });
    expect(await bench.device.read(0, 512)).toEqual(new Uint8Array(512).fill(2));
    expect(bench.array.problems.map(({ code, severity }) => [code, severity])).toEqual([
      ["CEV_DEGRADED", "warning"],
    ]);
    await bench.device.close();
    const again = await ArrayBench.open({ shape: SHAPE, images: bench.images });
    expect(again.layer.array.members[victim]!.isInSync).toBe(false);
    expect(await again.device.read(0, 512)).toEqual(new Uint8Array(512).fill(2));
    await again.device.close();
  });

  it("by losing its device on a read does not fail the read", async () => {
    const bench = await ArrayBench.open();
    const data = new Random(1).bytes(bench.device.size);
    await bench.device.write(0, data);
    bench.faults[1]!.lose();
    expect(await bench.device.read(0, bench.device.size)).toEqual(data);
    await bench.device.flush();
    expect(bench.layer.array.members.map(({ state }) => state)).toEqual([
      "in sync",
      "failed",
      "in sync",
      "in sync",
    ]);
    await bench.device.close();
  });

  it("by not flushing is failed, and the flush succeeds", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Uint8Array(512).fill(1));
    bench.faults[2]!.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.flush });
    await bench.device.flush();
    expect(superblockOf(bench.images[0]!).roles[2]).toBe(0xfffe);
    await bench.device.close();
  });

  it("while the superblocks are updated takes one more update, and the write still succeeds", async () => {
    const bench = await ArrayBench.open();
    bench.faults[2]!.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.write });
    await bench.device.write(0, new Uint8Array(4096).fill(1));
    expect(superblockOf(bench.images[0]!)).toMatchObject({ eventCount: 19n, roles: [0, 1, 0xfffe, 3] });
    expect(await bench.device.read(0, 4096)).toEqual(new Uint8Array(4096).fill(1));
    await bench.device.close();
  });
});

describe("a member that is full", () => {
  it.each([
    ["the data", (bench: ArrayBench): number => bench.map.memberOf(0)],
    ["the parity", (bench: ArrayBench): number => bench.map.parityMember(0)],
  ])("where %s goes fails the write, and stays, with right parity", async (_name, pick) => {
    const bench = await ArrayBench.open();
    const data = new Random(1).bytes(bench.device.size);
    await bench.device.write(0, data);
    const full = bench.faults[pick(bench)]!;
    full.add({ fault: { kind: "half", code: "CEV_NO_SPACE" }, op: Op.write, countMax: 1 });
    await expect(bench.device.write(0, new Uint8Array(4096).fill(2))).rejects.toMatchObject({
      code: "CEV_NO_SPACE",
    });
    expect(bench.layer.array.lostCount).toBe(0);
    expect(wrongStripes(bench.images)).toEqual([]);
    expect(await bench.device.read(4096, bench.device.size - 4096)).toEqual(data.subarray(4096));
    await bench.device.write(0, new Uint8Array(4096).fill(3));
    await bench.device.close();
    expect(wrongStripes(bench.images)).toEqual([]);
  });

  it("and cannot take the parity that fits either is failed after all", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Random(1).bytes(bench.device.size));
    const victim = bench.map.parityMember(0);
    bench.faults[victim]!.add({
      fault: { kind: "error", code: "CEV_NO_SPACE" },
      op: Op.write,
      offset: DATA_START,
    });
    await bench.device.write(0, new Uint8Array(4096).fill(2));
    expect(bench.layer.array.members[victim]!.state).toBe("failed");
    expect(await bench.device.read(0, 4096)).toEqual(new Uint8Array(4096).fill(2));
    await bench.device.close();
  });

  it("of the pool's memory for a moment is asked again", async () => {
    const bench = await ArrayBench.open();
    bench.faults[0]!.add({
      fault: { kind: "error", code: "CEV_NO_MEMORY" },
      op: Op.write,
      offset: DATA_START,
      countMax: 1,
    });
    await bench.device.write(0, new Uint8Array(4096 * 3).fill(2));
    expect(bench.layer.array.lostCount).toBe(0);
    await bench.device.close();
    expect(wrongStripes(bench.images)).toEqual([]);
  });
});

describe("a layer that is opened again", () => {
  it("goes on with its event count where it was", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Uint8Array(512).fill(1));
    await bench.device.close();
    expect(superblockOf(bench.images[0]!).eventCount).toBe(19n);
    await bench.reopen();
    await bench.device.write(0, new Uint8Array(512).fill(2));
    await bench.device.close();
    expect(superblockOf(bench.images[0]!)).toMatchObject({ eventCount: 21n, resyncSectors: null });
  });
});

describe("a bad spot", () => {
  it("B2 is reconstructed from the others, written anew and read again, and the member stays", async () => {
    const bench = await ArrayBench.open();
    const data = new Random(1).bytes(bench.device.size);
    await bench.device.write(0, data);
    const victim = bench.map.memberOf(8192);
    const spot = DATA_START + bench.map.memberOffsetOf(8192);
    bench.faults[victim]!.addBadRange(spot, 512);
    bench.forget();
    expect(await bench.device.read(8192, 4096)).toEqual(data.subarray(8192, 12_288));
    const log = bench.disks[victim]!.log.map(({ op, offset }) => [op, offset]);
    expect(log).toEqual([
      [Op.write, spot],
      [Op.read, spot],
    ]);
    expect(bench.layer.array.lostCount).toBe(0);
    await bench.device.close();
  });

  it("smaller than a page is written back as a whole page", async () => {
    const bench = await ArrayBench.open();
    const data = new Random(1).bytes(bench.device.size);
    await bench.device.write(0, data);
    const victim = bench.map.memberOf(1024);
    bench.faults[victim]!.addBadRange(DATA_START + 1024, 512);
    bench.forget();
    expect(await bench.device.read(1024, 512)).toEqual(data.subarray(1024, 1536));
    expect(bench.disks[victim]!.log.map(({ op, offset, length }) => [op, offset, length])).toEqual([
      [Op.write, DATA_START, 4096],
      [Op.read, DATA_START, 4096],
    ]);
    await bench.device.close();
  });

  it("that cannot be written either fails the member", async () => {
    const bench = await ArrayBench.open();
    const data = new Random(1).bytes(bench.device.size);
    await bench.device.write(0, data);
    const victim = bench.map.memberOf(0);
    bench.faults[victim]!.addBadRange(DATA_START, 512);
    bench.faults[victim]!.add({ fault: { kind: "error", code: "CEV_MEDIUM" }, op: Op.write });
    expect(await bench.device.read(0, 4096)).toEqual(data.subarray(0, 4096));
    expect(bench.layer.array.lostCount).toBe(1);
    await bench.device.close();
  });

  it("of a read-only array is reconstructed and left as it is", async () => {
    const first = await ArrayBench.open();
    const data = new Random(1).bytes(first.device.size);
    await first.device.write(0, data);
    await first.device.close();
    const bench = await ArrayBench.open({ images: first.images, isReadOnly: true });
    for (const [index, fault] of bench.faults.entries()) fault.addBadRange(DATA_START + 4096 * index, 4096);
    expect(await bench.device.read(0, bench.device.size)).toEqual(data);
    await bench.device.close();
    for (const { log } of bench.disks) expect(log.every(({ op }) => op === Op.read)).toBe(true);
  });

  it("in each of two members of one stripe fails what needs both, by name", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Uint8Array(4096 * 3).fill(1));
    bench.faults[0]!.addBadRange(DATA_START, 512);
    bench.faults[1]!.addBadRange(DATA_START, 512);
    const read = bench.device.read(bench.map.memberOf(0) <= 1 ? 0 : 4096, 512);
    await expect(read).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    expect(bench.layer.array.lostCount).toBe(0);
    await bench.device.close();
  });
});

describe("a second failure", () => {
  it("of a lost device ends every request that needs it, and nothing more is written", async () => {
    const bench = await ArrayBench.open();
    await bench.device.write(0, new Uint8Array(bench.device.size).fill(1));
    bench.faults[0]!.lose();
    await bench.device.write(0, new Uint8Array(4096 * 6).fill(2));
    bench.faults[1]!.lose();
    await expect(bench.device.write(0, new Uint8Array(4096 * 3).fill(3))).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    const before = bench.images;
    await expect(bench.device.write(8192, new Uint8Array(4096).fill(4))).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    await expect(bench.device.read(0, bench.device.size)).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await bench.device.close().catch(() => undefined);
    expect(bench.images).toEqual(before);
  });

  it("of a write stops writing, and what does not hang on the half written stripe can still be read", async () => {
    const bench = await ArrayBench.open({ missing: [0] });
    const data = new Random(2).bytes(bench.device.size);
    await bench.device.write(0, data);
    bench.faults[1]!.add({
      fault: { kind: "error", code: "CEV_NO_SPACE" },
      op: Op.write,
      offset: DATA_START,
      length: 4096,
    });
    await expect(bench.device.write(0, new Uint8Array(4096 * 3).fill(3))).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    await expect(bench.device.write(4096 * 12, new Uint8Array(512))).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    const stripe = 4096 * 3;
    expect(await bench.device.read(stripe, bench.device.size - stripe)).toEqual(data.subarray(stripe));
    await bench.device.close().catch(() => undefined);
  });
});

describe("a bitmap that is out of date", () => {
  it("of a clean array with a member missing counts as set everywhere, so that nothing it missed is forgotten", async () => {
    const images = (await ArrayBench.open({ shape: SHAPE })).images;
    for (const image of images) image[8192 + 24]!--;
    const bench = await ArrayBench.open({ shape: SHAPE, images, missing: [1] });
    await bench.device.write(0, new Uint8Array(512).fill(1));
    await bench.device.close();
    expect(bench.images[0]![8192 + 256]! & 0x0f).toBe(0x0f);
  });
});
