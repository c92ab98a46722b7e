import { INTERFACE_VERSION } from "@cev/core";
import type { Driver, OpenContext, OpenedDevice } from "@cev/core";
import { ramdiskOptions, ramdiskOptionsSchema } from "./options.ts";
import type { RamdiskOptions } from "./options.ts";
import { RamdiskLayer } from "./ramdisk-layer.ts";

/** `@cev/hw-ramdisk` in a stack file. */
export const ramdiskDriver: Driver<Required<RamdiskOptions>> = {
  name: "@cev/hw-ramdisk",
  interfaceVersion: INTERFACE_VERSION,
  summary: "a sparse disk in memory",
  options: ramdiskOptions,
  optionsSchema: ramdiskOptionsSchema,
  lowers: { countMin: 0, countMax: 0 },
  open(context: OpenContext<Required<RamdiskOptions>>): Promise<readonly OpenedDevice[]> {
    const layer = new RamdiskLayer(context.environment, context.options);
    const { size, blockSize } = context.options;
    return Promise.resolve([{ name: null, layer, state: "clean", details: { size, blockSize } }]);
  },
};
