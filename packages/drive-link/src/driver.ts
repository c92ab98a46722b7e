import { INTERFACE_VERSION } from "@cev/core";
import type { Driver, OpenContext, OpenedDevice } from "@cev/core";
import { DriveLinkLayer } from "./drive-link-layer.ts";
import { driveLinkOptions, driveLinkOptionsSchema } from "./options.ts";
import type { DriveLinkOptions } from "./options.ts";

/** `@cev/drive-link` in a stack file: unlike devices one behind the other. */
export const driveLinkDriver: Driver<DriveLinkOptions> = {
  name: "@cev/drive-link",
  interfaceVersion: INTERFACE_VERSION,
  summary: "unlike devices one behind the other as one",
  options: driveLinkOptions,
  optionsSchema: driveLinkOptionsSchema,
  lowers: { countMin: 1, countMax: 65_536 },
  open,
};

function open(context: OpenContext<DriveLinkOptions>): Promise<readonly OpenedDevice[]> {
  return Promise.resolve().then(() => {
    const { lowers, options, isReadOnly } = context;
    const layer = new DriveLinkLayer(lowers, { ...options, isReadOnly });
    for (const device of layer.devices) {
      const { size } = device.layer.limits;
      if (size === device.length) continue;
      context.report({
        severity: "warning",
        code: "CEV_INVALID",
        message:
          `the last ${size - device.length} bytes of ${device.name} are left out: ` +
          `they do not fill a block of ${layer.limits.logicalBlockSize}`,
        device: device.name,
      });
    }
    if (options.sizes === undefined && lowers.length > 1)
      context.report({
        severity: "warning",
        code: "CEV_AMBIGUOUS",
        message:
          "nothing tells whether these are the right devices in the right order; " +
          `record their sizes in the stack file: sizes: [${lowers.map((lower) => lower.layer.limits.size).join(", ")}]`,
      });
    return [
      {
        name: null,
        layer,
        state: layer.support.write === "none" ? "read-only" : "active",
        details: {
          blockSize: layer.limits.logicalBlockSize,
          devices: layer.devices.map(({ name, start, length, layer: lower }) => ({
            name,
            start,
            length,
            size: lower.limits.size,
            blockSize: lower.limits.logicalBlockSize,
          })),
        },
      },
    ];
  });
}
