import { INTERFACE_VERSION } from "@cev/core";
import type { Driver, OpenContext, OpenedDevice } from "@cev/core";
import { LargeBlockLayer } from "./large-block-layer.ts";
import { blockSizeOptions, blockSizeOptionsSchema } from "./options.ts";
import type { BlockSizeOptions } from "./options.ts";
import { SmallBlockLayer } from "./small-block-layer.ts";

/** `@cev/convert/blocksize` in a stack file: the same bytes in blocks of another size. */
export const blockSizeDriver: Driver<BlockSizeOptions> = {
  name: "@cev/convert/blocksize",
  interfaceVersion: INTERFACE_VERSION,
  summary: "the same bytes in blocks of another size",
  options: blockSizeOptions,
  optionsSchema: blockSizeOptionsSchema,
  lowers: { countMin: 1, countMax: 1 },
  open: (context) => Promise.resolve().then(() => [openBlocks(context)]),
};

function openBlocks(context: OpenContext<BlockSizeOptions>): OpenedDevice {
  const { lowers, options, environment, isReadOnly } = context;
  const [{ name, layer: lower }] = lowers as [(typeof lowers)[number]];
  const { logicalBlockSize } = options;
  const isSmaller = logicalBlockSize < lower.limits.logicalBlockSize;
  const layer = isSmaller
    ? new SmallBlockLayer(lower, { logicalBlockSize, environment, isReadOnly })
    : new LargeBlockLayer(lower, { logicalBlockSize, isReadOnly });
  const leftOut = lower.limits.size - layer.limits.size;
  if (leftOut > 0)
    context.report({
      severity: "warning",
      code: "CEV_INVALID",
      message: `the last ${leftOut} bytes of ${name} are left out: they do not fill a block of ${logicalBlockSize}`,
      device: name,
    });
  return {
    name: null,
    layer,
    state: layer.support.write === "none" ? "read-only" : "active",
    details: { blockSize: logicalBlockSize, blockSizeBelow: lower.limits.logicalBlockSize },
  };
}
