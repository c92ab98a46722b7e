import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { TestBench } from "@cev/test-kit";
import { afterAll, beforeAll, describe, test } from "vitest";
import { FileLayer } from "../src/index.ts";

const SUPPORT: Support = {
  ...{ read: "native", write: "native", flush: "native", discard: "none", writeZeroes: "none" },
  fua: "emulated",
};
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

for (const queueDepthMax of [1, 16]) {
  testLayer(
    {
      name: `a file with ${queueDepthMax} calls at once`,
      manifest: { support: SUPPORT, skip },
      create: (bench) => {
        const options = { path: fileOf(bench), create: true, size: 262_144 };
        return FileLayer.at(bench.environment, options, { queueDepthMax });
      },
    },
    { describe, test },
  );
}

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
