import { resolve } from "node:path";
import { INTERFACE_VERSION } from "@cev/core";
import type { Driver, OpenContext, OpenedDevice } from "@cev/core";
import { FileLayer } from "./file-layer.ts";
import { isWrittenElsewhere } from "./file-lock.ts";
import { fileOptions, fileOptionsSchema } from "./options.ts";
import type { FileOptions } from "./options.ts";

/** `@cev/hw-file` in a stack file. Relative paths start at the context's directory. */
export const fileDriver: Driver<FileOptions> = {
  name: "@cev/hw-file",
  interfaceVersion: INTERFACE_VERSION,
  summary: "a regular file or a block device",
  options: fileOptions,
  optionsSchema: fileOptionsSchema,
  lowers: { countMin: 0, countMax: 0 },
  async open(context: OpenContext<FileOptions>): Promise<readonly OpenedDevice[]> {
    const { environment, options, directory } = context;
    const { create, size, ...others } = options;
    const path = resolve(directory, options.path);
    const isReadOnly = context.isReadOnly || options.readOnly === true;
    // Nothing is made where nothing may be written.
    const making = isReadOnly
      ? {}
      : { ...(create === undefined ? {} : { create }), ...(size === undefined ? {} : { size }) };
    const layer = await FileLayer.at(environment, { ...others, ...making, path, readOnly: isReadOnly });
    if (isReadOnly && (await isWrittenElsewhere(path))) {
      const message = `${path} is being written by another process: what is read may be of different moments`;
      context.report({ severity: "warning", code: "CEV_BUSY", message });
    }
    if (layer.bytesIgnored > 0) {
      const message = `${path}: the last ${layer.bytesIgnored} bytes are no whole block and stay out of reach`;
      context.report({ severity: "warning", code: "CEV_OUT_OF_RANGE", message });
    }
    const { bytesIgnored } = layer;
    const details = {
      ...{ path, size: layer.limits.size, readOnly: isReadOnly },
      ...(bytesIgnored === 0 ? {} : { bytesIgnored }),
    };
    return [{ name: null, layer, state: "clean", details }];
  },
};
