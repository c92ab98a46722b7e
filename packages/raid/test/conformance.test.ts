import { READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import type { Layer, NamedLayer, Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { Manifest, TestBench } from "@cev/test-kit";
import { describe, test } from "vitest";
import { raidDriver } from "../src/index.ts";
import { makeImages } from "./support/make-array.ts";
import type { ArrayShape } from "./support/make-array.ts";

const SUPPORT: Support = {
  read: "native",
  write: "native",
  flush: "native",
  fua: "native",
  discard: "native",
  writeZeroes: "native",
};

interface Configuration {
  readonly name: string;
  readonly shape: ArrayShape;
  readonly manifest: Manifest;
  /** Members that are not there. */
  readonly missing?: readonly number[];
  readonly isReadOnly?: boolean;
  readonly blockSize?: number;
}

const DEGRADED: Manifest["skip"] = {
  durability:
    "while a member is missing, a stripe whose writing a power cut interrupts does not tell what that member held; " +
    "such an array is read-only afterwards",
  errors:
    "the same: a write that fails half-way leaves a stripe that does not tell what the missing member held",
};

const CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "four members, left-symmetric, with a bitmap",
    shape: { bitmapChunkSize: 8192, chunkCount: 8 },
    manifest: { support: SUPPORT, canHideErrors: true },
  },
  {
    name: "three members, right-asymmetric, chunks of 64 KiB",
    shape: { memberCount: 3, layout: 1, chunkSize: 65_536, chunkCount: 4 },
    manifest: { support: SUPPORT, canHideErrors: true },
  },
  {
    name: "two members, blocks of 4,096 bytes, superblocks at the end",
    shape: { memberCount: 2, version: "1.0", chunkSize: 8192 },
    blockSize: 4096,
    manifest: { support: SUPPORT, canHideErrors: true },
  },
  {
    name: "five members, one of them missing",
    shape: { memberCount: 5, chunkCount: 16, bitmapChunkSize: 4096 },
    missing: [2],
    manifest: {
      support: SUPPORT,
      skip: DEGRADED,
    },
  },
  {
    name: "RAID6 over four members",
    shape: { chunkCount: 8, changes: () => ({ level: 6 }) },
    manifest: { support: SUPPORT, canHideErrors: true },
  },
  {
    name: "RAID6 over six members, two of them missing, chunks of 64 KiB",
    shape: { memberCount: 6, chunkSize: 65_536, chunkCount: 4, layout: 8, changes: () => ({ level: 6 }) },
    missing: [0, 3],
    manifest: { support: SUPPORT, skip: DEGRADED },
  },
  {
    name: "four members, read-only",
    shape: { chunkCount: 16 },
    isReadOnly: true,
    manifest: { support: READ_ONLY_SUPPORT, canHideErrors: true },
  },
];

async function create(bench: TestBench, configuration: Configuration): Promise<Layer> {
  const { environment, isFirst } = bench;
  const { shape, missing = [], isReadOnly = false, blockSize = 512 } = configuration;
  const lowers: NamedLayer[] = [];
  for (const [index, image] of makeImages(shape).entries()) {
    if (missing.includes(index)) continue;
    const layer = bench.lower({ size: image.length, blockSize });
    if (isFirst) await writeBytes(layer, environment, 0, image, true);
    lowers.push({ name: `disk${index}`, layer });
  }
  const [opened] = await raidDriver.open({
    environment,
    options: {},
    lowers: bench.random.shuffled(lowers),
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  });
  return opened!.layer;
}

for (const configuration of CONFIGURATIONS) {
  testLayer(
    {
      name: configuration.name.startsWith("RAID") ? configuration.name : `RAID5 over ${configuration.name}`,
      manifest: configuration.manifest,
      create: (bench) => create(bench, configuration),
    },
    { describe, test },
  );
}
