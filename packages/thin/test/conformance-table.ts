import { READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { ConformanceTable, LowerOptions, Subject } from "@cev/test-kit";
import { thinDriver } from "../src/index.ts";
import { PoolMaker } from "./support/make-pool.ts";
import type { Entry } from "./support/make-pool.ts";

const CHUNK = 65_536;
const CHUNK_COUNT = 8;

interface Row {
  readonly name: string;
  /** Where the chunks of the volume lie. */
  readonly chunks: readonly Entry[];
  /** Entries of one leaf of the tree. */
  readonly perLeaf?: number;
  readonly lower?: Partial<LowerOptions>;
  /** What was never written is read from a device of so many bytes. */
  readonly originSize?: number;
}

const inOneRun = Array.from({ length: CHUNK_COUNT }, (_, index): Entry => [index, index]);
const scattered: readonly Entry[] = [
  [0, 5],
  [1, 6],
  [3, 0],
  [4, 7],
  [7, 1],
];

const rows: readonly Row[] = [
  { name: "in one run", chunks: inOneRun },
  { name: "in one run, over blocks of 4096", chunks: inOneRun, lower: { blockSize: 4096 } },
  { name: "scattered, with holes", chunks: scattered },
  { name: "scattered, its tree in two levels", chunks: scattered, perLeaf: 2 },
  {
    name: "scattered, over requests of at most 12,288",
    chunks: scattered,
    lower: { limits: { ioLengthMax: 12_288 } },
  },
  { name: "with an origin outside the pool", chunks: scattered, originSize: CHUNK * CHUNK_COUNT },
  { name: "with an origin that is shorter", chunks: scattered, originSize: CHUNK * 5 + 4096 },
  { name: "of which nothing was written", chunks: [] },
];

function subjectOf({ name, chunks, perLeaf, lower = {}, originSize }: Row): Subject {
  const contents = PoolMaker.volume(chunks, perLeaf);
  const volume = {
    ...{ name: "volume", deviceId: 1, size: CHUNK * CHUNK_COUNT },
    ...(originSize === undefined ? {} : { externalOrigin: 2 }),
  };
  return {
    name: `a thin volume ${name}`,
    manifest: {
      support: READ_ONLY_SUPPORT,
      reopen: reopenWith(thinDriver),
      ...(chunks.length === 0 ? { skip: { errors: "nothing below is read, so nothing can fail" } } : {}),
    },
    async create(bench) {
      const { environment } = bench;
      const metadata = bench.lower({ size: contents.length });
      if (bench.isFirst) await writeBytes(metadata, environment, 0, contents, true);
      const layers = [metadata, bench.lower({ size: CHUNK_COUNT * CHUNK, ...lower })];
      if (originSize !== undefined) layers.push(bench.lower({ size: originSize, ...lower }));
      const [opened] = await thinDriver.open({
        environment,
        options: { volumes: [volume] },
        lowers: layers.map((layer, index) => ({ name: `disk${index}`, layer })),
        keySource: { keys: [] },
        isReadOnly: false,
        canWriteDegraded: false,
        directory: ".",
        report: () => undefined,
      });
      return opened!.layer;
    },
  };
}

export const conformanceTable: ConformanceTable = {
  package: "@cev/thin",
  groups: { mapped: rows.slice(0, 5).map(subjectOf), "never written": rows.slice(5).map(subjectOf) },
  drawnCount: 3,
};
