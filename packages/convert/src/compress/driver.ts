import { CevError, INTERFACE_VERSION } from "@cev/core";
import type { Device, Driver, Finding, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { CompressLayer } from "./compress-layer.ts";
import { Kind } from "./entry.ts";
import { findSuperblock, formatCompressed } from "./format.ts";
import { MAP_MEMORY_MAX, compressOptions, compressOptionsSchema } from "./options.ts";
import type { CompressOptions } from "./options.ts";
import type { Superblock } from "./superblock.ts";

/** `@cev/convert/compress` in a stack file: a device whose chunks lie compressed on the one below. */
export const compressDriver: Driver<CompressOptions> = {
  name: "@cev/convert/compress",
  interfaceVersion: INTERFACE_VERSION,
  summary: "a device whose chunks are compressed",
  options: compressOptions,
  optionsSchema: compressOptionsSchema,
  lowers: { countMin: 1, countMax: 1 },
  probe,
  async open(context) {
    const [lower] = context.lowers as [NamedLayer];
    const superblock = await superblockOf(lower, context);
    const { environment, isReadOnly, options } = context;
    const { mapMemoryMax = MAP_MEMORY_MAX } = options;
    const layer = new CompressLayer(lower.layer, { superblock, environment, mapMemoryMax, isReadOnly });
    return [openedDevice(layer)];
  },
};

async function probe(device: Device): Promise<Finding | null> {
  const found = await findSuperblock(
    { name: device.name, limits: device.limits, submit: (io) => device.submit(io) },
    device.environment,
  );
  if (typeof found === "string") return null;
  const { size, chunkSize } = found.superblock;
  return {
    summary: `compressed device of ${size} bytes in chunks of ${chunkSize}`,
    group: null,
    details: detailsOf(found.superblock),
  };
}

async function superblockOf(
  { name, layer }: NamedLayer,
  { environment, options, isReadOnly }: OpenContext<CompressOptions>,
): Promise<Superblock> {
  const found = await findSuperblock(layer, environment);
  if (typeof found !== "string") return found.superblock;
  if (found === "blank" && options.create !== undefined && !isReadOnly) {
    const { mapMemoryMax = MAP_MEMORY_MAX } = options;
    return formatCompressed(layer, environment, { ...options.create, mapMemoryMax });
  }
  throw new CevError("CEV_INVALID", `${name} carries no compressed device`, {
    source: name,
    hint:
      found === "blank"
        ? "create: {} makes one of it, which is written"
        : "it holds something else; one is made only where the first 8 KiB are zero",
  });
}

function openedDevice(layer: CompressLayer): OpenedDevice {
  const state = layer.support.write === "none" ? "read-only" : "active";
  return { name: null, layer, state, details: detailsOf(layer.superblock) };
}

function detailsOf({ uuid, size, chunkSize, codec, level, binCount }: Superblock): Finding["details"] {
  return {
    uuid: [...uuid].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    size,
    chunkSize,
    codec: codec === Kind.zstd ? "zstd" : "deflate",
    level,
    room: binCount * chunkSize,
  };
}
