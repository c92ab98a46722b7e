import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { pairsOf, reopenWith } from "@cev/test-kit";
import type { ConformanceTable, LowerOptions, Subject } from "@cev/test-kit";
import {
  LargeBlockLayer,
  SmallBlockLayer,
  SwapLayer,
  blockSizeDriver,
  byteSwapDriver,
} from "../src/index.ts";
import type { WordLength } from "../src/index.ts";
import { compressSubjects } from "./support/compress-subjects.ts";

const SIZE = 65_536;

/** What the device below is like: each in turn is wanting in something. */
const LOWERS: {
  readonly [what: string]: { readonly lower: Partial<LowerOptions>; readonly support?: Partial<Support> };
} = {
  "a disk": { lower: {} },
  "what has no FUA, discards and zeroes": {
    lower: { support: { fua: "none", writeZeroes: "none", discard: "none" } },
    support: { fua: "none", writeZeroes: "none", discard: "none" },
  },
  "short requests, with an end that fills no block": {
    lower: { size: SIZE + 1536, limits: { ioLengthMax: 5120 } },
  },
  "a disk, read-only": { lower: {}, support: READ_ONLY_SUPPORT },
};

interface Row {
  readonly over: string;
  readonly blockSize: number;
}

interface BlocksRow extends Row {
  readonly logicalBlockSize: number;
}

interface WordsRow extends Row {
  readonly wordLength: WordLength;
}

const supportOf = ({ over }: Row): Support => ({ ...FULL_SUPPORT, ...LOWERS[over]!.support });
const isReadOnlyRow = ({ over }: Row): boolean => over.endsWith("read-only");

/** An end that fills no block there is only over small ones; and a block goes into one request. */
function isPossible({
  over,
  blockSize,
  logicalBlockSize = 1,
}: Row & { readonly logicalBlockSize?: number }): boolean {
  return !over.startsWith("short") || (blockSize <= 512 && logicalBlockSize <= 4096);
}

const blockRows = pairsOf<BlocksRow>(
  {
    logicalBlockSize: [1, 512, 4096, 65_536],
    over: Object.keys(LOWERS),
    blockSize: [1, 512, 4096],
  },
  (row) => isPossible(row) && row.logicalBlockSize !== row.blockSize,
);

const wordRows = pairsOf<WordsRow>(
  { wordLength: [2, 4, 8], over: Object.keys(LOWERS), blockSize: [512, 4096] },
  isPossible,
);

function blocksSubject(row: BlocksRow): Subject {
  const { logicalBlockSize, over, blockSize } = row;
  const isReadOnly = isReadOnlyRow(row);
  return {
    name: `blocks of ${logicalBlockSize} over blocks of ${blockSize} of ${over}`,
    manifest: { support: supportOf(row), reopen: reopenWith(blockSizeDriver, { isReadOnly }) },
    create(bench) {
      const lower = bench.lower({ size: SIZE, blockSize, ...LOWERS[over]!.lower });
      return logicalBlockSize < lower.limits.logicalBlockSize
        ? new SmallBlockLayer(lower, { logicalBlockSize, environment: bench.environment, isReadOnly })
        : new LargeBlockLayer(lower, { logicalBlockSize, isReadOnly });
    },
  };
}

function wordsSubject(row: WordsRow): Subject {
  const { wordLength, over, blockSize } = row;
  const isReadOnly = isReadOnlyRow(row);
  return {
    name: `words of ${wordLength} over blocks of ${blockSize} of ${over}`,
    manifest: { support: supportOf(row), reopen: reopenWith(byteSwapDriver, { isReadOnly }) },
    create: (bench) =>
      new SwapLayer(bench.lower({ size: SIZE, blockSize, ...LOWERS[over]!.lower }), {
        wordLength,
        environment: bench.environment,
        isReadOnly,
      }),
  };
}

export const conformanceTable: ConformanceTable = {
  package: "@cev/convert",
  groups: {
    "smaller blocks": blockRows
      .filter(({ logicalBlockSize, blockSize }) => logicalBlockSize < blockSize)
      .map(blocksSubject),
    "larger blocks": blockRows
      .filter(({ logicalBlockSize, blockSize }) => logicalBlockSize > blockSize)
      .map(blocksSubject),
    words: wordRows.map(wordsSubject),
    compress: compressSubjects,
  },
};
