import { extentsOf } from "@cev/core";
import type { Extent } from "@cev/core";
import { describe, expect, test } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";

const KIB = 1024;
const CHUNK = 64 * KIB;

async function open(level: number, memberCount: number, assumeClean = false): Promise<LayerBench> {
  const bench = await LayerBench.create({
    create: { level, assumeClean, ...(level === 1 ? {} : { chunkSize: CHUNK }) },
    memberCount,
    deviceSize: 2 * 1024 * KIB,
  });
  await bench.open();
  await bench.idle();
  return bench;
}

function extentsIn(bench: LayerBench, offset: number, length: number, byHolder = false): Promise<Extent[]> {
  return bench.drive(extentsOf(bench.layer, offset, length, { byHolder }));
}

const isZero = async (bench: LayerBench, offset: number, length: number): Promise<boolean> =>
  (await extentsIn(bench, offset, length)).every((extent) => extent.isZero);

async function dataStart(bench: LayerBench): Promise<number> {
  return (await bench.superblockOf(0))!.dataOffsetSectors * 512;
}

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(1);

describe("extents of arrays", () => {
  test.each([
    [0, 2],
    [1, 2],
    [4, 3],
    [5, 3],
    [6, 4],
    [10, 4],
  ])("of level %i: what was written is data, all else is a hole", async (level, memberCount) => {
    const bench = await open(level, memberCount);
    await bench.write(3 * CHUNK, ones(4096));
    const extents = await extentsIn(bench, 0, 6 * CHUNK);
    expect(extents.map(({ length, isZero: zero }) => [length, zero])).toEqual([
      [3 * CHUNK, true],
      [4096, false],
      [3 * CHUNK - 4096, true],
    ]);
    await bench.close();
  });

  test("the holder is the member that holds the chunk, and parity counts as a copy", async () => {
    const bench = await open(5, 3);
    await bench.write(0, ones(4 * CHUNK));
    const extents = await extentsIn(bench, 0, 4 * CHUNK, true);
    // Left-symmetric: the third chunk goes on after the parity of its stripe.
    const holders = extents.map(({ holder }) => bench.disks.findIndex(({ disk }) => disk === holder));
    expect(holders).toEqual([0, 1, 2, 0]);
    expect(extents.every(({ hasCopies }) => hasCopies)).toBe(true);
    await bench.close();
  });

  test("what one copy of a mirror lacks is data: the other may be read", async () => {
    const bench = await open(1, 2, true);
    const start = await dataStart(bench);
    bench.disks[1]!.disk.bytes.fill(7, start + CHUNK, start + CHUNK + 4096);
    expect(await isZero(bench, 0, CHUNK)).toBe(true);
    expect(await isZero(bench, CHUNK, 4096)).toBe(false);
    await bench.close();
  });

  test("a member that has failed is believed no more", async () => {
    const bench = await open(1, 2);
    bench.disks[0]!.fault.lose();
    await bench.write(0, ones(CHUNK));
    bench.disks[0]!.fault.find();
    expect(bench.layer.array.members[0]!.state).toBe("failed");
    expect(await isZero(bench, 0, CHUNK)).toBe(false);
    expect(await isZero(bench, CHUNK, CHUNK)).toBe(true);
    await bench.close();
  });

  test("chunks that have to be reconstructed are data", async () => {
    const bench = await open(5, 3);
    bench.disks[1]!.fault.lose();
    await bench.write(0, ones(CHUNK));
    await bench.read(CHUNK, CHUNK);
    const extents = await extentsIn(bench, 2 * CHUNK, 6 * CHUNK);
    const zeroes = extents.flatMap((extent) => Array<boolean>(extent.length / CHUNK).fill(extent.isZero));
    const { map } = bench.layer.personality as unknown as { map: { memberOf(offset: number): number } };
    expect(zeroes).toEqual([2, 3, 4, 5, 6, 7].map((chunk) => map.memberOf(chunk * CHUNK) !== 1));
    await bench.close();
  });

  test("a chunk with a bad block is data from end to end, and a mirror then shows the other copy", async () => {
    const parity = await open(5, 3);
    const [first] = parity.layer.array.members;
    first!.addBadBlock(4096, 8192);
    expect(await isZero(parity, 0, 4096)).toBe(false);
    expect(await isZero(parity, CHUNK, CHUNK)).toBe(true);
    first!.clearBadBlock(4096, 8192);
    await parity.close();

    const mirror = await open(1, 2, true);
    const start = await dataStart(mirror);
    mirror.disks[1]!.disk.bytes.fill(7, start, start + 16_384);
    mirror.layer.array.members[1]!.addBadBlock(4096, 8192);
    const extents = await extentsIn(mirror, 0, 16_384);
    expect(extents.map(({ length, isZero: zero }) => [length, zero])).toEqual([
      [4096, false],
      [4096, true],
      [8192, false],
    ]);
    mirror.layer.array.members[1]!.clearBadBlock(4096, 8192);
    await mirror.close();
  });

  test("a member that is being rebuilt counts as far as it has come", async () => {
    const bench = await open(1, 2);
    await bench.write(0, ones(8 * CHUNK));
    const [, second] = bench.layer.array.members;
    second!.fill(second!.device!, CHUNK);
    const run = bench.layer.runs(0, 4 * CHUNK, 10);
    expect(run.map(({ length, others }) => [length, others?.length])).toEqual([
      [CHUNK, 1],
      [3 * CHUNK, 0],
    ]);
    second!.recovered();
    await bench.close();
  });
});
