import { FULL_SUPPORT, READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import type { Layer, LayerDescription, Support } from "@cev/core";
import type { ConformanceTable, LowerOptions, Subject, TestBench } from "@cev/test-kit";
import { readOnly } from "../src/read-only-layer.ts";
import { WindowLayer, partitionsDriver } from "../src/index.ts";
import { writeGpt, writeMbr } from "./tables.ts";

const KIB = 1024;
const SIZE = 512 * KIB;

interface WindowRow {
  readonly name: string;
  readonly start: number;
  readonly length: number;
  readonly lower?: Partial<LowerOptions>;
  readonly support?: Partial<Support>;
}

const windows: readonly WindowRow[] = [
  { name: "from the beginning", start: 0, length: 256 * KIB },
  { name: "to the end", start: 100 * 512, length: SIZE - 100 * 512 },
  { name: "of one block", start: 7 * 512, length: 512 },
  { name: "over blocks of 4096", start: 12 * KIB, length: 128 * KIB, lower: { blockSize: 4096 } },
  {
    name: "over a lower that neither discards nor has FUA",
    start: 64 * KIB,
    length: 128 * KIB,
    lower: { support: { discard: "none", fua: "none" } },
    support: { discard: "none", fua: "none" },
  },
  {
    name: "over requests of at most 5120",
    start: 64 * KIB,
    length: 128 * KIB,
    lower: { limits: { ioLengthMax: 5120 } },
  },
];

/** As a stack file's own entry says it again: where it begins, and how long it is. */
function windowAgain({ options }: LayerDescription, bench: TestBench): Layer {
  const [lower] = bench.lowersAgain();
  return new WindowLayer(lower!, "window", {
    start: Number(options["start"]),
    length: Number(options["length"]),
  });
}

function windowSubject({ name, start, length, lower = {}, support = {} }: WindowRow): Subject {
  return {
    name: `a window ${name}`,
    manifest: { support: { ...FULL_SUPPORT, ...support }, reopen: windowAgain },
    create: (bench) => new WindowLayer(bench.lower({ size: SIZE, ...lower }), "window", { start, length }),
  };
}

interface PartitionRow {
  readonly name: string;
  readonly blockSize: 512 | 4096;
  readonly isGpt: boolean;
}

const partitions: readonly PartitionRow[] = [
  { name: "an MBR", blockSize: 512, isGpt: false },
  { name: "a GPT", blockSize: 512, isGpt: true },
  { name: "a GPT in blocks of 4096", blockSize: 4096, isGpt: true },
];

/** The second of two partitions. */
function partitionSubject({ name, blockSize, isGpt }: PartitionRow): Subject {
  const first = 32 + (16 * KIB) / blockSize;
  const count = (128 * KIB) / blockSize;
  const image = new Uint8Array(SIZE);
  if (isGpt)
    writeGpt(
      image,
      [
        { first: first - 8, last: first - 1 },
        { first, last: first + count - 1 },
      ],
      blockSize,
    );
  else
    writeMbr(image, [
      { type: 0x83, first: first - 8, count: 8 },
      { type: 0x83, first, count },
    ]);
  return {
    name: `a partition of ${name}`,
    manifest: { support: FULL_SUPPORT, reopen: windowAgain },
    async create(bench) {
      const layer = bench.lower({ size: SIZE, blockSize });
      if (bench.isFirst) await writeBytes(layer, bench.environment, 0, image, true);
      const opened = await partitionsDriver.open({
        environment: bench.environment,
        options: {},
        lowers: [{ name: "disk", layer }],
        keySource: { keys: [] },
        isReadOnly: false,
        canWriteDegraded: false,
        directory: ".",
        report: () => undefined,
      });
      return opened[1]!.layer;
    },
  };
}

const guard: Subject = {
  name: "the guard of a read-only stack",
  manifest: { support: READ_ONLY_SUPPORT },
  create: (bench) => readOnly(bench.lower({ size: SIZE })),
};

export const conformanceTable: ConformanceTable = {
  package: "@cev/stack",
  groups: {
    windows: windows.map(windowSubject),
    partitions: partitions.map(partitionSubject),
    guard: [guard],
  },
};
