import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import { InterruptedLayer, MemoryLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { CompressLayer, findSuperblock, formatCompressed } from "../src/index.ts";
import { Allocator } from "../src/compress/allocator.ts";
import { encodeMapSector } from "../src/compress/map-sector.ts";
import { Trimmer } from "../src/compress/trimmer.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;
const environment = environmentFrom(globalThis);

test("a power cut takes nothing that was durable before a commit of which the cache alone knew as the device was opened anew", async () => {
  const first = new Random(1).bytes(CHUNK);
  const second = new Random(2).bytes(CHUNK);
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new PowerCutLayer(environment, { size: 256 * KIB });
    const lower = new InterruptedLayer(disk);
    await openTree(lower);
    const superblock = await formatCompressed(lower, environment, {
      chunkSize: CHUNK,
      journalLength: 32 * KIB,
    });
    const open = (): Promise<Device> =>
      Device.open(new CompressLayer(lower, { superblock, environment }), environment);

    const device = await open();
    await device.write(0, first);
    await device.flush();
    await device.write(0, second);
    lower.state = "breaking";
    await expect(device.flush()).rejects.toThrow("interrupted");
    await expect(device.close()).rejects.toThrow("interrupted");
    lower.state = "whole";

    const again = await open();
    expect(await again.read(0, CHUNK)).toEqual(second);
    // Goes to where the first was, if that is free.
    await again.write(CHUNK, new Random(3).bytes(CHUNK));
    const image = disk.imageAfterCut(new Random(seed));
    await again.close();
    await closeTree(lower);

    const left = new PowerCutLayer(environment, { size: image.length, contents: image });
    const found = await findSuperblock(left, environment);
    if (typeof found === "string") throw new Error(found);
    const last = await Device.open(
      new CompressLayer(left, { superblock: found.superblock, environment }),
      environment,
    );
    expect([first, second]).toContainEqual(await last.read(0, CHUNK));
    await last.close();
  }
});

test("a device that shows more than can be found again is not made", async () => {
  const size = 8192 * KIB;
  const disk = new MemoryLayer(environment, { size });
  await openTree(disk);
  const make = (shown: number): Promise<unknown> =>
    formatCompressed(disk, environment, { chunkSize: 256 * KIB, size: shown });
  await expect(make(4096 * size + 256 * KIB)).rejects.toThrow(
    expect.objectContaining({ code: "CEV_INVALID", place: { hint: `at most ${4096 * size} do` } }),
  );
  expect(await findSuperblock(disk, environment)).toBe("blank");
  await make(4096 * size);
  expect(await findSuperblock(disk, environment)).toMatchObject({ superblock: { size: 4096 * size } });
  await closeTree(disk);
});

test("a map whose epoch leaves none for what is to come is refused", async () => {
  const disk = new MemoryLayer(environment, { size: 256 * KIB });
  await openTree(disk);
  const superblock = await formatCompressed(disk, environment, { chunkSize: CHUNK, journalLength: 32 * KIB });
  const entries = new Uint8Array(0);
  const sector = encodeMapSector(0, superblock.formatId, { epoch: Number.MAX_SAFE_INTEGER, entries });
  disk.bytes.set(sector, superblock.mapOffset);
  const layer = new CompressLayer(disk, { superblock, environment });
  await expect(layer.open()).rejects.toThrow(expect.objectContaining({ code: "CEV_BAD_METADATA" }));
  await closeTree(disk);
});

test("whoever looks for room finds none held by discards, although commits begin them anew all the time", async () => {
  const lower = new MemoryLayer(environment, { size: 256 * KIB, completion: "later" });
  await openTree(lower);
  const superblock = await formatCompressed(lower, environment, {
    chunkSize: CHUNK,
    journalLength: 32 * KIB,
  });
  const allocator = new Allocator(4);
  const trimmer = new Trimmer({
    lower,
    environment,
    superblock,
    allocator,
    isWanted: true,
    hasRoom: () => true,
    onRoom: () => undefined,
  });
  for (const bin of [0, 1, 2]) allocator.take(8 * bin, 8);
  for (const bin of [0, 1, 2]) allocator.release(8 * bin, 8);
  trimmer.start();
  expect(allocator.freeCount).toBe(24);
  const seen: number[] = [];
  const look = (): void => {
    seen.push(allocator.freeCount);
    trimmer.start();
  };
  await Promise.all([trimmer.pause(look), trimmer.pause(look)]);
  expect(seen).toEqual([32, 32]);
  await trimmer.close();
  await closeTree(lower);
});

test("bins that have become free are told of once each, unless they are in use again", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const binCount = random.between(2, 12);
    const allocator = new Allocator(binCount);
    const used = Array.from({ length: binCount }, () => 0);
    const emptied = new Set<number>();
    const held: number[] = [];
    const runs: [first: number, count: number][] = [];
    for (let round = 0; round < 300; round++) {
      const kind = random.below(10);
      if (kind < 4) {
        const count = random.between(1, 8);
        const first = allocator.allocate(count);
        if (first < 0) continue;
        used[Math.floor(first / 8)]! += count;
        emptied.delete(Math.floor(first / 8));
        runs.push([first, count]);
      } else if (kind < 8 && runs.length > 0) {
        const [[first, count]] = runs.splice(random.below(runs.length), 1) as [[number, number]];
        allocator.release(first, count);
        const bin = Math.floor(first / 8);
        used[bin]! -= count;
        if (used[bin] === 0) emptied.add(bin);
      } else if (kind < 9) {
        const bin = allocator.takeEmptied();
        expect(emptied.delete(bin)).toBe(bin >= 0);
        if (bin < 0) {
          expect(emptied.size).toBe(0);
          continue;
        }
        used[bin] = 8;
        held.push(bin);
      } else if (held.length > 0) {
        const bin = held.pop()!;
        allocator.putBack(bin);
        used[bin] = 0;
      }
      expect(allocator.runCount).toBe(runs.length + held.length);
      expect(allocator.freeCount).toBe(used.reduce((sum, count) => sum - count, binCount * 8));
    }
  }
});
