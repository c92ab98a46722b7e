import { FULL_SUPPORT } from "@cev/core";
import { AsyncNoOpLayer, MemoryLayer, NoOpLayer } from "../src/index.ts";
import { testLayer } from "../src/entries/vitest.ts";

testLayer({
  name: "a disk in memory",
  manifest: { support: FULL_SUPPORT, isPersistent: false },
  create: ({ environment }) => new MemoryLayer(environment, { size: 65_536, completion: "random" }),
});

testLayer({
  name: "a layer that does nothing",
  manifest: { support: FULL_SUPPORT },
  create: (bench) => new NoOpLayer(bench.lower({ size: 65_536 })),
});

testLayer({
  name: "an async layer that does nothing",
  manifest: { support: { ...FULL_SUPPORT, discard: "none" } },
  create: (bench) => new AsyncNoOpLayer(bench.lower({ size: 65_536, support: { discard: "none" } })),
});
