import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import { describe, test } from "vitest";
import { ReadOnlyLayer } from "../src/read-only-layer.ts";
import { WindowLayer } from "../src/index.ts";

const KIB = 1024;
const SIZE = 512 * KIB;

for (const { name, start, length, blockSize } of [
  { name: "from the beginning", start: 0, length: 256 * KIB, blockSize: 512 },
  { name: "to the end", start: 100 * 512, length: SIZE - 100 * 512, blockSize: 512 },
  { name: "of one block", start: 7 * 512, length: 512, blockSize: 512 },
  { name: "over blocks of 4096", start: 12_288, length: 128 * KIB, blockSize: 4096 },
]) {
  testLayer(
    {
      name: `a window ${name}`,
      manifest: { support: FULL_SUPPORT },
      create: (bench) => new WindowLayer(bench.lower({ size: SIZE, blockSize }), "window", { start, length }),
    },
    { describe, test },
  );
}

testLayer(
  {
    name: "a window over a lower that neither discards nor has FUA",
    manifest: { support: { ...FULL_SUPPORT, discard: "none", fua: "none" } },
    create: (bench) => {
      const lower = bench.lower({ size: SIZE, support: { discard: "none", fua: "none" } });
      return new WindowLayer(lower, "window", { start: 64 * KIB, length: 128 * KIB });
    },
  },
  { describe, test },
);

testLayer(
  {
    name: "the guard of a read-only stack",
    manifest: { support: READ_ONLY_SUPPORT },
    create: (bench) => new ReadOnlyLayer(bench.lower({ size: SIZE })),
  },
  { describe, test },
);
