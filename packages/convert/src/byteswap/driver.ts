import { INTERFACE_VERSION } from "@cev/core";
import type { Driver } from "@cev/core";
import { byteSwapOptions, byteSwapOptionsSchema } from "./options.ts";
import type { ByteSwapOptions } from "./options.ts";
import { SwapLayer } from "./swap-layer.ts";

/** `@cev/convert/byteswap` in a stack file: the same words in the other byte order. */
export const byteSwapDriver: Driver<ByteSwapOptions> = {
  name: "@cev/convert/byteswap",
  interfaceVersion: INTERFACE_VERSION,
  summary: "the same words in the other byte order",
  options: byteSwapOptions,
  optionsSchema: byteSwapOptionsSchema,
  lowers: { countMin: 1, countMax: 1 },
  open: ({ lowers, options, environment, isReadOnly }) =>
    Promise.resolve().then(() => {
      const layer = new SwapLayer(lowers[0]!.layer, { ...options, environment, isReadOnly });
      const state = layer.support.write === "none" ? "read-only" : "active";
      return [{ name: null, layer, state, details: { wordLength: layer.wordLength } }];
    }),
};
