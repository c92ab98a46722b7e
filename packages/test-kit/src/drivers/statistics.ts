import type { Driver } from "@cev/core";
import { StatisticsLayer } from "../layers/statistics-layer.ts";
import { filterDriver } from "./open-filter.ts";

/** `@cev/test-kit/statistics` in a stack file: counts, lengths and times of what passes. */
export const statisticsDriver: Driver<Readonly<Record<string, never>>> = filterDriver<
  Readonly<Record<string, never>>
>({
  name: "statistics",
  summary: "counts what passes",
  properties: {},
  isFilter: true,
  make: (lower, _options, { environment }) => new StatisticsLayer(lower, environment),
});
