import { Device, openTree } from "@cev/core";
import type { Environment, Layer, OpenedDevice, Problem } from "@cev/core";
import { RaidLayer, raidDriver } from "@cev/raid";
import type { RaidOptions } from "@cev/raid";

/** A device to make an array of. */
export interface NamedDisk {
  readonly name: string;
  readonly layer: Layer;
}

/** How to open an array. Default: for writing, also with members missing. */
export interface OpenOptions extends RaidOptions {
  readonly isReadOnly?: boolean;
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
  { isReadOnly = false, ...options }: OpenOptions = {},
): Promise<OpenArray> {
  const problems: Problem[] = [];
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
