import type { Driver } from "@cev/core";
import { __CLASS__ } from "./layer.ts";
import { options, optionsSchema } from "./options.ts";
import type { Options } from "./options.ts";

/** `__PACKAGE__` in a stack file. */
export const driver: Driver<Options> = {
  name: "__PACKAGE__",
  interfaceVersion: 1,
  summary: "a device without its first bytes",
  options,
  optionsSchema,
  lowers: { countMin: 1, countMax: 1 },
  async open({ lowers, options: { start }, isReadOnly }) {
    const layer = new __CLASS__(lowers[0]!.layer, { start, isReadOnly });
    return [{ name: null, layer, state: isReadOnly ? "read-only" : "active", details: { start } }];
  },
};
