import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import { testLayer } from "@cev/test-kit/node-test";
import { __CLASS__ } from "../src/index.ts";

const SIZE = 65_536;

testLayer({
  name: "__LAYER__",
  manifest: { support: FULL_SUPPORT },
  create: (bench) => new __CLASS__(bench.lower({ size: SIZE }), { start: 4096 }),
});

testLayer({
  name: "__LAYER__, read-only",
  manifest: { support: READ_ONLY_SUPPORT },
  create: (bench) => new __CLASS__(bench.lower({ size: SIZE }), { start: 0, isReadOnly: true }),
});
