import { READ_ONLY_SUPPORT } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import { describe, test } from "vitest";
import { ChunkMapping, NodeStore, ThinLayer } from "../src/index.ts";
import { PoolMaker } from "./support/make-pool.ts";
import type { Entry } from "./support/make-pool.ts";
import { MemoryLayer } from "@cev/test-kit";

const CHUNK = 65_536;

const cases: readonly {
  readonly name: string;
  readonly chunks: readonly Entry[];
  readonly nodesMax?: number;
}[] = [
  {
    name: "in one run",
    chunks: [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
      [6, 6],
      [7, 7],
    ],
  },
  {
    name: "scattered, with holes",
    chunks: [
      [0, 5],
      [1, 6],
      [3, 0],
      [4, 7],
      [7, 1],
    ],
  },
  { name: "of which nothing was written", chunks: [] },
];

for (const { name, chunks } of cases) {
  testLayer(
    {
      name: `a thin volume ${name}`,
      manifest: {
        support: READ_ONLY_SUPPORT,
        ...(chunks.length === 0 ? { skip: { errors: "nothing below is read, so nothing can fail" } } : {}),
      },
      create(bench) {
        const { environment } = bench;
        const contents = PoolMaker.volume(chunks);
        const metadata = new MemoryLayer(environment, { size: contents.length, contents });
        const data = bench.lower({ size: 8 * CHUNK });
        const nodes = new NodeStore({
          environment,
          metadata,
          source: "pool_tmeta",
          blockCount: contents.length / 4096,
        });
        return new ThinLayer({
          name: "thin",
          size: 8 * CHUNK,
          chunkSize: CHUNK,
          mapping: new ChunkMapping(nodes, 3, 8),
          metadata,
          data,
          externalOrigin: null,
          description: {},
        });
      },
    },
    { describe, test },
  );
}
