import { createHash } from "node:crypto";
import { Device, environmentFrom, formatError, isCevError } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { BLOCKS, ChunkMapping, ChunkRun, NodeStore, decodeSuperblock } from "../src/index.ts";
import { lookup } from "../src/metadata/lookup.ts";
import { GOLDEN_VOLUMES, goldenPool } from "./support/golden-pool.ts";
import { openPool } from "./support/open-pool.ts";

const environment = environmentFrom(globalThis);
const BLOCK = 4096;
const pool = goldenPool();

function layersOf(metadata: Uint8Array): MemoryLayer[] {
  return [metadata, pool.data, pool.outside].map(
    (contents) => new MemoryLayer(environment, { size: contents.length, contents, completion: "atOnce" }),
  );
}

async function readWhole(metadata: Uint8Array, index: number): Promise<Uint8Array> {
  const [opened] = await openPool(environment, layersOf(metadata), {
    volumes: [GOLDEN_VOLUMES[index]!.option],
  });
  await using device = await Device.open(opened!.layer, environment);
  return await device.read(0, device.size);
}

/** Blocks of the metadata that hold anything. */
const used = Array.from({ length: pool.metadata.length / BLOCK }, (_, block) => block).filter((block) =>
  pool.metadata.subarray(block * BLOCK, (block + 1) * BLOCK).some((byte) => byte !== 0),
);

describe("a pool that LVM2 and the kernel made", () => {
  test.each(GOLDEN_VOLUMES.map(({ option, hash }, index) => ({ name: option.name, hash, index })))(
    "gives $name to the last byte",
    async ({ hash, index }) => {
      const data = await readWhole(pool.metadata, index);
      expect(createHash("sha256").update(data).digest("hex")).toBe(hash);
    },
  );

  test("gives the same bytes in pieces of any size and place", async () => {
    const random = new Random(20_261_123);
    const opened = await openPool(environment, layersOf(pool.metadata), {
      volumes: GOLDEN_VOLUMES.map(({ option }) => option),
    });
    for (const [index, { layer }] of opened.entries()) {
      const whole = await readWhole(pool.metadata, index);
      await using device = await Device.open(layer, environment);
      for (let count = 0; count < 200; count++) {
        const offset = random.below(whole.length - 1);
        const length = random.between(
          1,
          Math.min(random.pick([5000, 70_000, 1_000_000]), whole.length - offset),
        );
        const data = await device.read(offset, length);
        expect(Buffer.compare(data, whole.subarray(offset, offset + length))).toBe(0);
      }
    }
  });

  test("says how much of each volume is mapped, as the kernel does", async () => {
    const opened = await openPool(environment, layersOf(pool.metadata), {
      volumes: GOLDEN_VOLUMES.map(({ option }) => option),
    });
    expect(opened.map(({ details }) => (details as { mappedSize: number }).mappedSize / 512)).toEqual([
      51_200, 51_200, 640,
    ]);
  });

  test("with any byte of its metadata changed leads to the same chunks or to none, and says where it is wrong", async () => {
    const random = new Random(4711);
    const right = await chunksOf(pool.metadata);
    expect(right.some((chunk) => chunk >= 0)).toBe(true);
    let refused = 0;
    for (const block of used) {
      for (let count = 0; count < 3; count++) {
        const at = block * BLOCK + random.below(BLOCK);
        const metadata = pool.metadata.slice();
        metadata[at] = metadata[at]! ^ (1 << random.below(8));
        try {
          expect(await chunksOf(metadata), `byte ${at}`).toEqual(right);
        } catch (error) {
          if (!isCevError(error)) throw error;
          refused++;
          expect(formatError(error)).toMatch(
            /thin pool (superblock|tree node \d+), field \w+( \d+)?, at byte \d+/,
          );
        }
      }
    }
    expect(refused).toBeGreaterThan(9);
  });
});

/** Where each chunk of the snapshot lies. */
async function chunksOf(metadata: Uint8Array): Promise<number[]> {
  const blockCount = metadata.length / BLOCK;
  const source = "pool_tmeta";
  const superblock = decodeSuperblock(metadata, blockCount, source);
  const layer = new MemoryLayer(environment, { size: metadata.length, contents: metadata });
  const nodes = new NodeStore({ environment, metadata: layer, source, blockCount });
  const root = await lookup(nodes, superblock.mappingRoot, 2, BLOCKS);
  const mapping = new ChunkMapping(nodes, root!, 640);
  const run = new ChunkRun();
  const chunks: number[] = [];
  while (chunks.length < 1600) {
    if (mapping.locate(chunks.length, run)) chunks.push(run.dataChunk);
    else await mapping.load(run.missing);
  }
  return chunks;
}
