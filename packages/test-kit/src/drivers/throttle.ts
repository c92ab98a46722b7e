import type { Driver } from "@cev/core";
import { ThrottleLayer } from "../layers/throttle-layer.ts";
import type { ThrottleOptions } from "../layers/throttle-layer.ts";
import { filterDriver } from "./open-filter.ts";
import { SEED_PROPERTY } from "./rule-options.ts";

const DELAY = { type: "number", minimum: 0, maximum: 3_600_000, default: 0 };

/** `@cev/test-kit/throttle` in a stack file: a slow device. */
export const throttleDriver: Driver<Omit<ThrottleOptions, "environment">> = filterDriver<
  Omit<ThrottleOptions, "environment">
>({
  name: "throttle",
  summary: "makes a device slow",
  properties: {
    burstMs: { ...DELAY, description: "What was not used of this time may be made up for" },
    bytesPerSecond: { type: "number", minimum: 1, description: "Of reads and writes together" },
    jitterMs: { ...DELAY, description: "Every request begins at random up to so much later" },
    latencyMs: { ...DELAY, description: "Every request begins so much later" },
    requestsPerSecond: { type: "number", minimum: 0.001, description: "Of all kinds" },
    seed: SEED_PROPERTY,
  },
  isFilter: true,
  make: (lower, options, { environment }) => new ThrottleLayer(lower, { ...options, environment }),
});
