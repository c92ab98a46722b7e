import { CompressLayer, LargeBlockLayer, SwapLayer, findSuperblock, formatCompressed } from "@cev/convert";
import type { FormatOptions, WordLength } from "@cev/convert";
import { adapt, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { SimulationKind } from "@cev/test-kit";

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** Larger blocks than those below. The other way, smaller ones, is what the simulator puts over every disk of large blocks. */
export const blockSizeKind: SimulationKind = {
  name: "blocksize",
  package: "@cev/convert",
  planVersion: 1,
  traits: () => ({}),
  plan(random, size) {
    const blockSize = random.pick([1024, 4096]);
    return { kind: "blocksize", options: { blockSize }, lowers: [roundUp(size, 4096)] };
  },
  async open({ options, whole }) {
    const { layer } = whole()[0]!;
    const logicalBlockSize = Math.max(options["blockSize"] as number, layer.limits.logicalBlockSize);
    return new LargeBlockLayer(layer, { logicalBlockSize });
  },
};

/** Words in the other byte order. */
export const byteSwapKind: SimulationKind = {
  name: "byteswap",
  package: "@cev/convert",
  planVersion: 1,
  traits: () => ({}),
  plan: (random, size) => ({
    kind: "byteswap",
    options: { wordLength: random.pick([2, 4, 8]) },
    lowers: [roundUp(size, 4096)],
  }),
  open: async ({ environment, options, whole }) =>
    new SwapLayer(whole()[0]!.layer, { wordLength: options["wordLength"] as WordLength, environment }),
};

const JOURNAL_LENGTH = 16_384;
// Behind the two superblocks and the journal: there each entry and each chunk has a sum.
const MAP_OFFSET = 8192 + JOURNAL_LENGTH;

/** Compressed chunks. What the work writes cannot be compressed, what it zeroes needs no room: units come and go. */
export const compressKind: SimulationKind = {
  name: "compress",
  package: "@cev/convert",
  planVersion: 1,
  traits: ({ length }) => ({ detects: { offset: MAP_OFFSET, length: (length as number) - MAP_OFFSET } }),
  plan(random, size) {
    const chunkSize = random.pick([4096, 4096, 8192, 32_768]);
    const shown = roundUp(size, chunkSize);
    // One chunk in use for each that is shown, those being written and those that a commit gives back, and what begins it.
    const length = MAP_OFFSET + 4096 + roundUp(shown + 40 * chunkSize, 32_768);
    return { kind: "compress", options: { chunkSize, shown, length }, lowers: [length] };
  },
  async format({ environment, options, whole }) {
    const { chunkSize, shown } = options as { readonly chunkSize: number; readonly shown: number };
    const lower = lowerOf(whole()[0]!.layer, environment, chunkSize);
    await writeBytes(lower, environment, 0, new Uint8Array(8192), true);
    const settings: FormatOptions = { size: shown, chunkSize, journalLength: JOURNAL_LENGTH };
    await formatCompressed(lower, environment, settings);
  },
  async open({ environment, options, whole }) {
    const lower = lowerOf(whole()[0]!.layer, environment, options["chunkSize"] as number);
    const found = await findSuperblock(lower, environment);
    if (typeof found === "string") throw new Error(`a compressed device is ${found} now`);
    return new CompressLayer(lower, { superblock: found.superblock, environment });
  },
};

/** Small chunks are cut into units smaller than large blocks. */
function lowerOf(lower: Layer, environment: Environment, chunkSize: number): Layer {
  const unit = chunkSize / 8;
  return lower.limits.logicalBlockSize > unit ? adapt(lower, environment, unit) : lower;
}
