import type { Driver } from "@cev/core";
import { CuttingLayer } from "../layers/cutting-layer.ts";
import type { CuttingOptions } from "../layers/cutting-layer.ts";
import type { CutReport } from "../layers/volatile-cache-layer.ts";
import { filterDriver } from "./open-filter.ts";
import { ATOMIC_LENGTH_PROPERTY, SEED_PROPERTY } from "./rule-options.ts";

/** Options of the driver. */
export type PowerCutDriverOptions = Omit<CuttingOptions, "environment" | "onCut">;

/** `@cev/test-kit/power-cut` in a stack file: a volatile cache that loses its power. */
export const powerCutDriver: Driver<PowerCutDriverOptions> = filterDriver<PowerCutDriverOptions>({
  name: "power-cut",
  summary: "a volatile cache that may lose, reorder and tear what was not flushed when its power goes",
  properties: {
    atomicLength: ATOMIC_LENGTH_PROPERTY,
    cutAfterMs: { type: "number", minimum: 0, description: "The power goes so long after it was opened" },
    cutAfterWrites: {
      type: "integer",
      minimum: 1,
      description: "The power goes with this write, zeroes or discard",
    },
    memoryMax: { type: "integer", minimum: 0, default: 16_777_216, description: "Bytes that are cached" },
    policy: {
      enum: ["all", "none", "sectors", "writes", "prefix"],
      default: "sectors",
      description: "What survives of what was not flushed",
    },
    returns: {
      enum: ["never", "atOnce"],
      default: "never",
      description:
        "Whether the power comes back, with what survived; or all is refused until it is opened anew",
    },
    seed: SEED_PROPERTY,
  },
  make: (lower, options, { environment, tell }) =>
    new CuttingLayer(lower, {
      ...options,
      environment,
      onCut: (report) => tell("CEV_DEVICE_LOST", textOf(report, options)),
    }),
});

function textOf(report: CutReport, { seed = 1, returns = "never" }: PowerCutDriverOptions): string {
  const { changeCount, keptCount, tornCount, lostCount } = report;
  const end = returns === "never" ? "all is refused until it is opened anew" : "it is back";
  return (
    `the power went (seed ${seed}): of ${changeCount} writes that were not flushed ${keptCount} are there, ` +
    `${tornCount} in part, ${lostCount} not; ${end}`
  );
}
