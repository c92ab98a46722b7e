import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { TestBench } from "@cev/test-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileLayer, findHolePuncher } from "../src/index.ts";
import type { FileLayerSettings, HolePuncher } from "../src/index.ts";
import { memoryCalls } from "../src/memory-calls.ts";

const SUPPORT: Support = { ...FULL_SUPPORT, fua: "emulated" };
const WITHOUT_HOLES: Support = { ...SUPPORT, discard: "none", writeZeroes: "none" };
const skip = {
  durability: "the power of this machine is not cut; what a sync covers is tested call by call",
  errors: "errors of the system are tested call by call",
};
let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "cev-conformance-"))));
afterAll(() => rm(folder, { recursive: true }));

/** A file that lasts as long as one test. */
function fileOf(bench: TestBench): string {
  const path = join(folder, "disk.img");
  if (bench.isFirst) bench.onEnd(() => rm(path));
  return path;
}

/** Has everything but a file system that agrees. */
const refusing: HolePuncher = { punch: () => false, zero: () => false };
const holes = findHolePuncher();

interface Configuration {
  readonly name: string;
  readonly support: Support;
  readonly settings: FileLayerSettings;
}

const configurations: readonly Configuration[] = [
  { name: "one call at a time", support: WITHOUT_HOLES, settings: { holes: null, queueDepthMax: 1 } },
  {
    name: "calls that end before they return",
    support: WITHOUT_HOLES,
    settings: { holes: null, calls: memoryCalls },
  },
  { name: "without holes", support: WITHOUT_HOLES, settings: { holes: null } },
  { name: "on a file system without holes", support: SUPPORT, settings: { holes: refusing } },
  ...(holes === null ? [] : [{ name: "with holes", support: SUPPORT, settings: { holes } }]),
];

for (const { name, support, settings } of configurations) {
  testLayer(
    {
      name: `a file, ${name}`,
      manifest: { support, skip },
      create: (bench) => {
        const options = { path: fileOf(bench), create: true, size: 262_144 };
        return FileLayer.at(bench.environment, options, settings);
      },
    },
    { describe, test },
  );
}

test.skipIf(holes === null)(
  "holes are tested (needs fallocate through node:ffi, of Node 26 on Linux)",
  () => {
    expect(configurations.at(-1)?.name).toBe("with holes");
  },
);

testLayer(
  {
    name: "a file opened read-only",
    manifest: { support: READ_ONLY_SUPPORT, skip },
    async create(bench) {
      const path = fileOf(bench);
      if (bench.isFirst) {
        const writer = await FileLayer.at(bench.environment, { path, create: true, size: 65_536 });
        await writer.open();
        await writer.close();
      }
      return FileLayer.at(bench.environment, { path, readOnly: true });
    },
  },
  { describe, test },
);
