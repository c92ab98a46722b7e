import { Device, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer, OpenedDevice, Problem } from "@cev/core";
import { RaidLayer, raidDriver } from "../../src/index.ts";
import type { RaidOptions } from "../../src/index.ts";

export interface OpenArrayOptions {
  readonly environment?: Environment;
  readonly options?: RaidOptions;
  readonly isReadOnly?: boolean;
  readonly canWriteDegraded?: boolean;
}

/** What the driver opened, with the problems that were reported. */
export interface Opened {
  readonly device: Device;
  readonly opened: OpenedDevice;
  readonly problems: Problem[];
}

/** An array opened through its driver. */
export interface OpenArray extends Opened {
  readonly layer: RaidLayer;
}

/** Opens an array through its driver, as a stack would. Closing the device closes the layer, not the members. */
export async function openArray(members: readonly Layer[], how: OpenArrayOptions = {}): Promise<OpenArray> {
  const { device, opened, problems } = await openAny(members, how);
  if (!(opened.layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  return { device, layer: opened.layer, opened, problems };
}

/** The same, also for an array that is being reshaped, which is another layer. */
export async function openAny(members: readonly Layer[], how: OpenArrayOptions = {}): Promise<Opened> {
  const environment = how.environment ?? environmentFrom(globalThis);
  const problems: Problem[] = [];
  for (const member of members) await openTree(member);
  const [opened] = await raidDriver.open({
    environment,
    options: how.options ?? {},
    lowers: members.map((layer) => ({ name: layer.name, layer })),
    keySource: { keys: [] },
    isReadOnly: how.isReadOnly ?? false,
    canWriteDegraded: how.canWriteDegraded ?? false,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  const device = await Device.open(opened!.layer, environment, { isReadOnly: how.isReadOnly ?? false });
  return { device, opened: opened!, problems };
}
