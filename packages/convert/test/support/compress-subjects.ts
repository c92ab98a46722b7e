import { Device, FULL_SUPPORT, READ_ONLY_SUPPORT, closeTree, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import { pairsOf, reopenWith } from "@cev/test-kit";
import type { LowerOptions, Subject, TestBench } from "@cev/test-kit";
import { CompressLayer, compressDriver, findSuperblock, formatCompressed } from "../../src/index.ts";
import type { Superblock } from "../../src/index.ts";

const KIB = 1024;

interface Row {
  readonly chunkSize: number;
  readonly codec: "zstd" | "deflate";
  readonly level: 1 | 9;
  readonly over: "a disk" | "no FUA, discards and zeroes" | "short requests";
  readonly blockSize: 512 | 4096;
  readonly isReadOnly: boolean;
  /** Shows more than is sure to fit. */
  readonly isThin: boolean;
  /** What is freed is discarded below. */
  readonly discards: boolean;
}

/** The device shows so many chunks; the larger they are, the fewer. */
const chunkCountOf = (chunkSize: number): number => Math.max(2, Math.min(16, (64 * KIB) / chunkSize));

// Chunks are stored in eighths, which are whole blocks. What level 9 does takes its time.
const rows = pairsOf<Row>(
  {
    chunkSize: [4 * KIB, 8 * KIB, 32 * KIB, 128 * KIB],
    codec: ["zstd", "deflate"],
    level: [1, 9],
    over: ["a disk", "no FUA, discards and zeroes", "short requests"],
    blockSize: [512, 4096],
    isReadOnly: [false, true],
    isThin: [false, true],
    discards: [false, true],
  },
  ({ chunkSize, blockSize, level }) => chunkSize / 8 >= blockSize && (level === 1 || chunkSize <= 32 * KIB),
);

const LOWERS: { readonly [over in Row["over"]]: Partial<LowerOptions> } = {
  "a disk": {},
  "no FUA, discards and zeroes": { support: { fua: "none", writeZeroes: "none", discard: "none" } },
  "short requests": { limits: { ioLengthMax: 12 * KIB } },
};

/** Room for everything even where nothing shrinks: twice what is shown, map and journal. */
function lowerOf({ chunkSize, over, blockSize }: Row): LowerOptions {
  return {
    size: 96 * KIB + 20 * chunkSize + 2 * chunkCountOf(chunkSize) * chunkSize,
    blockSize,
    ...LOWERS[over],
  };
}

/** What is a hole is read without asking anybody below: so something is written first. */
async function makeFilled(disk: Layer, { environment, random }: TestBench, row: Row): Promise<Superblock> {
  const { chunkSize, codec, level } = row;
  const size = chunkCountOf(chunkSize) * chunkSize;
  await openTree(disk);
  const superblock = await formatCompressed(disk, environment, {
    ...{ chunkSize, codec, level, journalLength: 16 * KIB },
    ...(row.isThin ? { size: size * 2 } : { size }),
  });
  const device = await Device.open(new CompressLayer(disk, { superblock, environment }), environment);
  await device.write(0, random.bytes(size));
  await device.close();
  await closeTree(disk);
  return superblock;
}

function subjectOf(row: Row): Subject {
  const { chunkSize, codec, level, over, blockSize, isReadOnly, isThin, discards } = row;
  const what = [
    `chunks of ${chunkSize}`,
    `${codec} ${level}`,
    `over blocks of ${blockSize} of ${over}`,
    ...(isThin ? ["twice what is written"] : []),
    ...(discards ? ["with discards"] : []),
    ...(isReadOnly ? ["read-only"] : []),
  ];
  return {
    name: `compressed, ${what.join(", ")}`,
    manifest: {
      support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT,
      // Discards below are made beside the work, and are hints: nobody hears of one that fails.
      canHideErrors: discards && !isReadOnly,
      reopen: reopenWith(compressDriver, { isReadOnly }),
      skip: { resize: "map and chunks lie where the size that it was made with puts them" },
    },
    async create(bench) {
      const { environment } = bench;
      const disk = bench.lower(lowerOf(row));
      const found = await findSuperblock(disk, environment);
      const superblock = typeof found === "string" ? await makeFilled(disk, bench, row) : found.superblock;
      return new CompressLayer(disk, { superblock, environment, isReadOnly, discards });
    },
  };
}

/** Compressed devices: chunk sizes, codecs and levels, over devices that each want in something. */
export const compressSubjects: readonly Subject[] = rows.map(subjectOf);
