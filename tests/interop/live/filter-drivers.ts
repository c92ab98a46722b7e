/** Layers of the test kit through which the same is read as lies below, as drivers. */
import { INTERFACE_VERSION } from "@cev/core";
import type { Driver, Layer } from "@cev/core";
import { AsyncNoOpLayer, CheckingLayer, NoOpLayer, StatisticsLayer } from "@cev/test-kit";

const KINDS: Readonly<Record<string, (lower: Layer) => Layer>> = {
  "no-op": (lower) => new NoOpLayer(lower),
  async: (lower) => new AsyncNoOpLayer(lower),
  checking: (lower) => new CheckingLayer(lower),
  statistics: (lower) => new StatisticsLayer(lower),
};

/** The option `kind` says which. */
export const filterDriver: Driver<{ readonly kind: string }> = {
  name: "filter",
  interfaceVersion: INTERFACE_VERSION,
  summary: "a layer of the test kit",
  options: {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => ({ value: value as { readonly kind: string } }),
    },
  },
  optionsSchema: { type: "object", properties: { kind: { enum: Object.keys(KINDS) } } },
  lowers: { countMin: 1, countMax: 1 },
  isFilter: true,
  open: ({ lowers, options }) => {
    const layer = KINDS[options.kind]!(lowers[0]!.layer);
    return Promise.resolve([{ name: null, layer, state: "clean", details: {} }]);
  },
};
