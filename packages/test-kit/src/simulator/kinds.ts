import { NoOpLayer } from "../layers/no-op-layer.ts";
import type { SimulationKind } from "./kind.ts";

/** A layer that passes everything on. */
export const noOpKind: SimulationKind = {
  name: "no-op",
  package: "@cev/test-kit",
  planVersion: 1,
  traits: () => ({}),
  plan: (_random, size) => ({ kind: "no-op", options: {}, lowers: [size] }),
  open: (site) => Promise.resolve(new NoOpLayer(site.whole()[0]!.layer)),
};
