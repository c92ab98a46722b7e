import { environmentFrom, extentsOf, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { ChunkMapping, NodeStore, ThinLayer } from "../src/index.ts";
import { PoolMaker } from "./support/make-pool.ts";
import type { Entry } from "./support/make-pool.ts";

const CHUNK = 65_536;
const environment = environmentFrom(globalThis);

/** Data chunks 0 to 3 hold something, 4 to 7 zeroes. */
async function open(chunks: readonly Entry[], externalOrigin: Layer | null = null): Promise<ThinLayer> {
  const contents = PoolMaker.volume(chunks);
  const metadata = new MemoryLayer(environment, { size: contents.length, contents });
  const full = new Uint8Array(8 * CHUNK).fill(1, 0, 4 * CHUNK);
  const data = new MemoryLayer(environment, { size: full.length, contents: full });
  const nodes = new NodeStore({ environment, metadata, source: "pool", blockCount: contents.length / 4096 });
  const layer = new ThinLayer({
    name: "thin",
    size: 8 * CHUNK,
    chunkSize: CHUNK,
    mapping: new ChunkMapping(nodes, 3, 8),
    metadata,
    data,
    externalOrigin,
    description: {},
  });
  await openTree(layer);
  return layer;
}

async function mapOf(layer: Layer): Promise<string> {
  const extents = await extentsOf(layer, 0, layer.limits.size);
  return extents.map(({ length, isZero }) => `${isZero ? "z" : "d"}${length / CHUNK}`).join(" ");
}

describe("extents of thin volumes", () => {
  test("chunks that the volume has are what the data device holds, all others are holes", async () => {
    const layer = await open([
      [0, 0],
      [1, 4],
      [3, 2],
      [4, 3],
      [6, 5],
    ]);
    expect(await mapOf(layer)).toBe("d1 z2 d2 z3");
    // The tree has been read now.
    expect(await mapOf(layer)).toBe("d1 z2 d2 z3");
  });

  test("with an external origin they are its, as far as it reaches", async () => {
    const contents = new Uint8Array(3 * CHUNK).fill(9, CHUNK, 2 * CHUNK);
    const origin = new MemoryLayer(environment, { size: contents.length, contents });
    expect(await mapOf(await open([[0, 1]], origin))).toBe("d2 z6");
    expect(await mapOf(await open([[1, 4]], origin))).toBe("z8");
  });

  test("what the tree contradicts itself about is data", async () => {
    const layer = await open([
      [0, 0],
      [5, 9],
    ]);
    const reported: unknown[] = [];
    const extents = await extentsOf(layer, 4 * CHUNK, 4 * CHUNK, { report: (error) => reported.push(error) });
    expect(extents.every(({ isZero }) => !isZero)).toBe(true);
    expect(reported[0]).toMatchObject({ code: "CEV_BAD_METADATA" });
  });
});
