import type { Layer, NamedLayer, Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { Manifest, TestBench } from "@cev/test-kit";
import { describe, test } from "vitest";
import { createArray, raidDriver } from "../src/index.ts";

const SUPPORT: Support = {
  read: "native",
  write: "native",
  flush: "native",
  fua: "native",
  discard: "native",
  writeZeroes: "native",
};
const DATA_OFFSET = 16_384;
const KIB = 1024;

interface Configuration {
  readonly name: string;
  readonly level: number;
  readonly layout?: number;
  readonly chunkSize?: number;
  /** What each member has room for behind superblock and bitmap. */
  readonly memberSizes: readonly number[];
  readonly hasBitmap?: boolean;
  /** The member that is taken away once the array is made. */
  readonly missing?: number;
  readonly blockSize?: number;
  readonly manifest: Manifest;
}

/** One may be lost: requests go on, and errors of one member do not show. */
const REDUNDANT: Manifest = { support: SUPPORT, canHideErrors: true, lostLowersMax: 1 };

const CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "linear of three unequal members",
    level: -1,
    memberSizes: [96 * KIB, 64 * KIB, 128 * KIB],
    manifest: { support: SUPPORT },
  },
  {
    name: "RAID0 of three unequal members",
    level: 0,
    layout: 1,
    chunkSize: 4096,
    memberSizes: [96 * KIB, 64 * KIB, 128 * KIB],
    manifest: { support: SUPPORT },
  },
  {
    name: "RAID1 of two with a bitmap",
    level: 1,
    memberSizes: [160 * KIB, 160 * KIB],
    hasBitmap: true,
    manifest: REDUNDANT,
  },
  {
    name: "RAID1 of three, one of them missing, blocks of 4,096 bytes",
    level: 1,
    memberSizes: [160 * KIB, 160 * KIB, 160 * KIB],
    missing: 1,
    blockSize: 4096,
    manifest: { support: SUPPORT, canHideErrors: true },
  },
  {
    name: "RAID10 far=2 of three with a bitmap",
    level: 10,
    layout: 0x201,
    chunkSize: 4096,
    memberSizes: [96 * KIB, 96 * KIB, 96 * KIB],
    hasBitmap: true,
    manifest: REDUNDANT,
  },
];

async function create(bench: TestBench, configuration: Configuration): Promise<Layer> {
  const { environment, isFirst } = bench;
  const { level, layout, chunkSize, memberSizes, hasBitmap, missing, blockSize = 512 } = configuration;
  const members: NamedLayer[] = memberSizes.map((size, index) => ({
    name: `disk${index}`,
    layer: bench.lower({ size: DATA_OFFSET + size, blockSize }),
  }));
  if (isFirst) {
    await createArray({
      environment,
      level,
      members,
      dataOffset: DATA_OFFSET,
      assumeClean: true,
      ...(layout === undefined ? {} : { layout }),
      ...(chunkSize === undefined ? {} : { chunkSize }),
      ...(hasBitmap === true ? { bitmap: "internal", bitmapChunkSize: 8192 } : {}),
    });
  }
  const [opened] = await raidDriver.open({
    environment,
    options: {},
    lowers: bench.random.shuffled(members.filter((_, index) => index !== missing)),
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  });
  return opened!.layer;
}

for (const configuration of CONFIGURATIONS) {
  testLayer(
    {
      name: configuration.name,
      manifest: configuration.manifest,
      create: (bench) => create(bench, configuration),
    },
    { describe, test },
  );
}
