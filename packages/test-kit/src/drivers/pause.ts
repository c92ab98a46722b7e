import type { Driver } from "@cev/core";
import { PauseLayer } from "../layers/pause-layer.ts";
import { filterDriver } from "./open-filter.ts";

/** `@cev/test-kit/pause` in a stack file: whoever has the layer can keep its requests back. */
export const pauseDriver: Driver<Readonly<Record<string, never>>> = filterDriver<
  Readonly<Record<string, never>>
>({
  name: "pause",
  summary: "keeps requests back when it is told to",
  properties: {},
  isFilter: true,
  make: (lower) => new PauseLayer(lower),
});
