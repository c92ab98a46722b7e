import { CevError } from "@cev/core";
import type { Driver, Layer } from "@cev/core";
import { findHeader } from "./find-header.ts";
import { planHeader } from "./header.ts";
import type { Header } from "./header.ts";
import { ChecksumLayer } from "./layer.ts";
import { options, optionsSchema } from "./options.ts";
import type { Options } from "./options.ts";

/** `cev-checksum` in a stack file. */
export const driver: Driver<Options> = {
  name: "cev-checksum",
  interfaceVersion: 1,
  summary: "a device with a checksum of every block",
  options,
  optionsSchema,
  lowers: { countMin: 1, countMax: 1 },
  async probe(device) {
    const { limits, name, environment } = device;
    const found = await findHeader({ name, limits, submit: (io) => device.submit(io) }, environment);
    if (typeof found === "string") return null;
    return { summary: `checksums of blocks of ${found.blockSize} bytes`, group: null, details: { ...found } };
  },
  async open({ lowers, options: { create, memoryMax }, environment, isReadOnly }) {
    const { name, layer: lower } = lowers[0]!;
    const found = await findHeader(lower, environment);
    const isNew = found === "blank" && create !== undefined && !isReadOnly;
    if (typeof found === "string" && !isNew) throw notFound(name, found);
    const header = typeof found === "string" ? planned(lower, create?.blockSize) : found;
    const layer = new ChecksumLayer(lower, { environment, header, isNew, isReadOnly, memoryMax });
    return [{ name: null, layer, state: isReadOnly ? "read-only" : "active", details: { ...header } }];
  },
};

function planned(lower: Layer, blockSize = lower.limits.logicalBlockSize): Header {
  const header = planHeader(lower.limits.size, blockSize);
  if (header === null) throw new CevError("CEV_INVALID", `${lower.name} is too small for checksums`);
  return header;
}

function notFound(source: string, found: "blank" | "other"): CevError {
  return new CevError("CEV_INVALID", `${source} carries no checksums`, {
    source,
    hint:
      found === "blank"
        ? "with create: {} they are made, if the device may be written"
        : "it holds something else; they are made only where the first 4 KiB are zero",
  });
}
