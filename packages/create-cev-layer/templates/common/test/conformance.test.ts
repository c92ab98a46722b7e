import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import { testLayer } from "@cev/test-kit/node-test";
import { __CLASS__, driver } from "../src/index.ts";

const SIZE = 65_536;

testLayer({
  name: "__LAYER__",
  manifest: { support: FULL_SUPPORT, reopen: reopenWith(driver), world: "simulated" },
  create: (bench) => new __CLASS__(bench.lower({ size: SIZE }), { start: 4096 }),
});

testLayer({
  name: "__LAYER__, read-only",
  manifest: {
    support: READ_ONLY_SUPPORT,
    reopen: reopenWith(driver, { isReadOnly: true }),
    world: "simulated",
  },
  create: (bench) => new __CLASS__(bench.lower({ size: SIZE }), { start: 0, isReadOnly: true }),
});
