import type { Driver } from "@cev/core";
import { AsyncNoOpLayer, NoOpLayer } from "../layers/no-op-layer.ts";
import { filterDriver } from "./open-filter.ts";

/** Options of the driver. */
export interface NoOpOptions {
  readonly isAsync?: boolean;
}

/** `@cev/test-kit/no-op` in a stack file: nobody may notice that it is there. */
export const noOpDriver: Driver<NoOpOptions> = filterDriver<NoOpOptions>({
  name: "no-op",
  summary: "passes everything on",
  properties: {
    isAsync: {
      type: "boolean",
      default: false,
      description: "It is written with async methods: everything completes in a later turn",
    },
  },
  isFilter: true,
  make: (lower, { isAsync = false }) => (isAsync ? new AsyncNoOpLayer(lower) : new NoOpLayer(lower)),
});
