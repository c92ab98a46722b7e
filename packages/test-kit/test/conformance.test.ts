import { FULL_SUPPORT } from "@cev/core";
import type { Layer } from "@cev/core";
import {
  CorruptionLayer,
  FaultLayer,
  MemorySink,
  PauseLayer,
  RecordLayer,
  StatisticsLayer,
  ThrottleLayer,
  VolatileCacheLayer,
} from "../src/index.ts";
import { testLayer } from "../src/entries/vitest.ts";
import type { TestBench } from "../src/index.ts";

const SIZE = 65_536;

const LAYERS: readonly (readonly [string, (lower: Layer, bench: TestBench) => Layer])[] = [
  ["fault without faults", (lower, { environment }) => new FaultLayer(lower, environment)],
  ["corruption without corruptions", (lower) => new CorruptionLayer(lower)],
  [
    "throttle that makes wait a little",
    (lower, { environment }) =>
      new ThrottleLayer(lower, { environment, bytesPerSecond: 2e9, requestsPerSecond: 1e6, burstMs: 1 }),
  ],
  ["pause that is not paused", (lower) => new PauseLayer(lower)],
  ["volatile cache", (lower, { environment }) => new VolatileCacheLayer(lower, { environment })],
  [
    "record in memory",
    (lower, { environment }) => new RecordLayer(lower, { environment, sink: new MemorySink() }),
  ],
  ["statistics with a clock", (lower, { environment }) => new StatisticsLayer(lower, environment)],
];

for (const [name, create] of LAYERS)
  testLayer({
    name,
    manifest: { support: FULL_SUPPORT },
    create: (bench) => create(bench.lower({ size: SIZE }), bench),
  });
