import { Device, openTree } from "@cev/core";
import type { Environment, Layer, OpenedDevice, Problem } from "@cev/core";
import { RaidLayer, raidDriver } from "@cev/raid";
import type { RaidOptions } from "@cev/raid";
import { placesOfMember } from "./images/images.ts";
import { arraySizeOf } from "./reference.ts";
import { isVolume } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** A device to make an array of. */
export interface NamedDisk {
  readonly name: string;
  readonly layer: Layer;
}

/** How to open an array. Default: for writing, also with members missing. */
export interface OpenOptions extends RaidOptions {
  readonly isReadOnly?: boolean;
  /** Needed for a volume of LVM, whose disks are named d0, d1 … by their positions. */
  readonly shape?: Shape;
}

/** An array opened through its driver, with the problems that were reported. */
export interface OpenArray {
  readonly device: Device;
  readonly layer: RaidLayer;
  readonly opened: OpenedDevice;
  readonly problems: readonly Problem[];
}

/** Opens an array through its driver, as a stack would. Closing the device closes the layer, not the disks. */
export async function openArray(
  environment: Environment,
  disks: readonly NamedDisk[],
  { isReadOnly = false, shape, ...given }: OpenOptions = {},
): Promise<OpenArray> {
  const problems: Problem[] = [];
  const options =
    shape !== undefined && isVolume(shape) ? { ...given, dmRaid: volumeOf(shape, disks) } : given;
  for (const { layer } of disks) await openTree(layer);
  const [opened] = await raidDriver.open({
    environment,
    options,
    lowers: disks.map(({ name, layer }) => ({ name, layer })),
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: !isReadOnly,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  if (!(opened?.layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  const device = await Device.open(opened.layer, environment, { isReadOnly });
  return { device, layer: opened.layer, opened, problems };
}

const TYPES: Readonly<Record<string, string>> = {
  "1/0": "raid1",
  "5/2": "raid5_ls",
  "5/4": "raid4",
  "5/1": "raid5_ra",
  "6/8": "raid6_zr",
  "6/18": "raid6_ls_6",
  "10/258": "raid10",
};

/** What LVM says of a volume of this shape. */
function volumeOf(shape: Shape, disks: readonly NamedDisk[]): NonNullable<RaidOptions["dmRaid"]> {
  const { level, layout, memberCount, memberSize, chunkSize, bitmapChunkSize } = shape;
  const members = Array.from({ length: memberCount }, (_, position) => {
    const index = disks.findIndex(({ name }) => name === `d${position}`);
    return index === -1 ? null : index;
  });
  return {
    type: TYPES[`${level}/${layout}`]!,
    memberCount,
    members,
    ...(chunkSize === 0 ? {} : { chunkSize }),
    regionSize: bitmapChunkSize,
    metadataSize: placesOfMember(shape).dataOffset,
    memberSize,
    size: arraySizeOf(shape),
  };
}
