import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { LowerOptions, Subject } from "@cev/test-kit";
import { describe, test } from "vitest";
import { LargeBlockLayer, SmallBlockLayer, SwapLayer } from "../src/index.ts";
import type { WordLength } from "../src/index.ts";

const SIZE = 65_536;

interface Configuration {
  readonly lower?: Partial<LowerOptions>;
  readonly support?: Partial<Support>;
  readonly isReadOnly?: boolean;
}

const supportOf = ({ support, isReadOnly }: Configuration): Support =>
  isReadOnly === true ? READ_ONLY_SUPPORT : { ...FULL_SUPPORT, ...support };

function blocksOf(logicalBlockSize: number, what: string, configuration: Configuration = {}): Subject {
  const isReadOnly = configuration.isReadOnly ?? false;
  return {
    name: `blocks of ${logicalBlockSize}, ${what}`,
    manifest: { support: supportOf(configuration) },
    create(bench) {
      const lower = bench.lower({ size: SIZE, ...configuration.lower });
      return logicalBlockSize < lower.limits.logicalBlockSize
        ? new SmallBlockLayer(lower, { logicalBlockSize, environment: bench.environment, isReadOnly })
        : new LargeBlockLayer(lower, { logicalBlockSize, isReadOnly });
    },
  };
}

function wordsOf(wordLength: WordLength, what: string, configuration: Configuration = {}): Subject {
  return {
    name: `words of ${wordLength}, ${what}`,
    manifest: { support: supportOf(configuration) },
    create: (bench) =>
      new SwapLayer(bench.lower({ size: SIZE, ...configuration.lower }), {
        wordLength,
        environment: bench.environment,
        isReadOnly: configuration.isReadOnly ?? false,
      }),
  };
}

const needy: Configuration = {
  lower: { support: { fua: "none", writeZeroes: "none", discard: "none" } },
  support: { fua: "none", writeZeroes: "none", discard: "none" },
};

const subjects: readonly Subject[] = [
  blocksOf(512, "over blocks of 4096", { lower: { blockSize: 4096 } }),
  blocksOf(512, "over blocks of 4096, read-only", { lower: { blockSize: 4096 }, isReadOnly: true }),
  blocksOf(4096, "over blocks of 512"),
  blocksOf(4096, "over requests of at most 5120, with an end that fills no block", {
    lower: { size: SIZE + 1536, limits: { ioLengthMax: 5120 } },
  }),
  blocksOf(4096, "over what has no FUA, discard and zeroes", needy),
  blocksOf(4096, "read-only", { isReadOnly: true }),
  wordsOf(2, "over blocks of 512"),
  wordsOf(4, "over blocks of 4096 without FUA, discard and zeroes", {
    ...needy,
    lower: { ...needy.lower, blockSize: 4096 },
  }),
  wordsOf(8, "over requests of at most 5120", { lower: { limits: { ioLengthMax: 5120 } } }),
  wordsOf(8, "read-only", { isReadOnly: true }),
];

for (const subject of subjects) testLayer(subject, { describe, test });
