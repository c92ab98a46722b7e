import { CevError, INTERFACE_VERSION } from "@cev/core";
import type { Device, Driver, Finding, NamedLayer, OpenedDevice } from "@cev/core";
import { CompressLayer } from "./compress-layer.ts";
import { Kind } from "./entry.ts";
import { findSuperblock, planFormat } from "./format.ts";
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
    const { lowers, environment, options, isReadOnly } = context;
    const [{ name, layer: lower }] = lowers as [NamedLayer];
    const { create, discards = true, mapMemoryMax = MAP_MEMORY_MAX } = options;
    const canWrite = !isReadOnly && lower.support.write !== "none";
    const onNearlyFull = (): void =>
      context.report({
        severity: "warning",
        code: "CEV_NO_SPACE",
        message: `${name}: nine tenths of the room for compressed chunks are in use; discard what is not needed`,
        device: name,
      });
    const settings = {
      environment,
      discards,
      mapMemoryMax,
      isReadOnly: !canWrite,
      ...(canWrite && { onNearlyFull }),
    };
    const found = await findSuperblock(lower, environment);
    if (typeof found !== "string")
      return [openedDevice(new CompressLayer(lower, { ...settings, superblock: found.superblock }))];
    if (found === "other" || create === undefined || !canWrite)
      throw notCompressed(name, found, create !== undefined);
    const superblock = planFormat(lower, environment, { ...create, mapMemoryMax });
    return [openedDevice(new CompressLayer(lower, { ...settings, superblock, isNew: true }))];
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

function notCompressed(name: string, found: "blank" | "other", isWanted: boolean): CevError {
  const blank = isWanted
    ? "one is made when it is opened to be written"
    : "with create: {} one is made of it, if it can be written";
  return new CevError("CEV_NOT_FOUND", `${name} carries no compressed device`, {
    source: name,
    hint:
      found === "blank" ? blank : "it holds something else; one is made only where the first 72 KiB are zero",
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
