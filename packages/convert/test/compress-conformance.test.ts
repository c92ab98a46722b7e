import { Device, FULL_SUPPORT, READ_ONLY_SUPPORT, closeTree, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { LowerOptions, Subject, TestBench } from "@cev/test-kit";
import { describe, test } from "vitest";
import { CompressLayer, findSuperblock, formatCompressed } from "../src/index.ts";
import type { FormatOptions, Superblock } from "../src/index.ts";

const KIB = 1024;

interface Configuration extends FormatOptions {
  readonly lower: LowerOptions;
  readonly isReadOnly?: boolean;
}

/** What is a hole is read without asking anybody below: so something is written first. */
async function makeFilled(
  disk: Layer,
  { environment, random }: TestBench,
  format: FormatOptions,
): Promise<Superblock> {
  await openTree(disk);
  const superblock = await formatCompressed(disk, environment, format);
  const device = await Device.open(new CompressLayer(disk, { superblock, environment }), environment);
  await device.write(0, random.bytes(device.size));
  await device.close();
  await closeTree(disk);
  return superblock;
}

function subjectOf(name: string, configuration: Configuration): Subject {
  const { lower, isReadOnly = false, ...format } = configuration;
  return {
    name: `compress, ${name}`,
    manifest: { support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT },
    async create(bench) {
      const { environment } = bench;
      const disk = bench.lower(lower);
      const found = await findSuperblock(disk, environment);
      const superblock = typeof found === "string" ? await makeFilled(disk, bench, format) : found.superblock;
      return new CompressLayer(disk, { superblock, environment, isReadOnly });
    },
  };
}

const subjects: readonly Subject[] = [
  subjectOf("chunks of 4 KiB over what has no FUA, discard and zeroes, with a short journal", {
    chunkSize: 4 * KIB,
    journalLength: 16 * KIB,
    lower: { size: 128 * KIB, support: { fua: "none", writeZeroes: "none", discard: "none" } },
  }),
  subjectOf("chunks of 32 KiB over blocks of 4096, with deflate", {
    chunkSize: 32 * KIB,
    journalLength: 16 * KIB,
    codec: "deflate",
    lower: { blockSize: 4096, size: 640 * KIB },
  }),
  subjectOf("chunks of 8 KiB over requests of at most 5120", {
    chunkSize: 8 * KIB,
    journalLength: 16 * KIB,
    lower: { size: 208 * KIB, limits: { ioLengthMax: 5120 } },
  }),
  subjectOf("read-only", {
    chunkSize: 4 * KIB,
    journalLength: 16 * KIB,
    isReadOnly: true,
    lower: { size: 128 * KIB },
  }),
];

// What is between the first and the last takes long; all of it runs where every case is asked for.
const [first] = subjects;
const chosen = process.env["CEV_ALL_CASES"] === undefined ? [first!, subjects.at(-1)!] : subjects;

for (const subject of chosen) testLayer(subject, { describe, test });
