import { FULL_SUPPORT } from "@cev/core";
import { describe, test } from "vitest";
import { AsyncNoOpLayer, MemoryLayer, NoOpLayer, testLayer } from "../src/index.ts";

testLayer(
  {
    name: "a disk in memory",
    manifest: { support: FULL_SUPPORT, isPersistent: false },
    create: ({ environment }) => new MemoryLayer(environment, { size: 65_536, completion: "random" }),
  },
  { describe, test },
);

testLayer(
  {
    name: "a layer that does nothing",
    manifest: { support: FULL_SUPPORT },
    create: (bench) => new NoOpLayer(bench.lower({ size: 65_536 })),
  },
  { describe, test },
);

testLayer(
  {
    name: "an async layer that does nothing",
    manifest: { support: { ...FULL_SUPPORT, discard: "none" } },
    create: (bench) => new AsyncNoOpLayer(bench.lower({ size: 65_536, support: { discard: "none" } })),
  },
  { describe, test },
);
