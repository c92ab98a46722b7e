import { Device, environmentFrom } from "@cev/core";
import type { Environment, Layer, OpenedDevice, Problem } from "@cev/core";
import { lvmDriver } from "../../src/index.ts";
import type { LvmOptions } from "../../src/index.ts";

/** What opening a group gave, with all that was reported. */
export interface Opened {
  readonly devices: readonly OpenedDevice[];
  readonly problems: readonly Problem[];
}

export const environment: Environment = environmentFrom(globalThis);

/** Opens groups as a stack does. */
export async function openGroup(
  lowers: readonly Layer[],
  options: { readonly isReadOnly?: boolean } & Partial<LvmOptions> = {},
): Promise<Opened> {
  const problems: Problem[] = [];
  const { isReadOnly = false, group = null, volumes = null } = options;
  const devices = await lvmDriver.open({
    environment,
    options: { group, volumes },
    lowers: lowers.map((layer) => ({ name: layer.name, layer })),
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  return { devices, problems };
}

/** All bytes of a volume. */
export async function readAll(layer: Layer): Promise<Uint8Array> {
  await using device = await Device.open(layer, environment, { isReadOnly: true });
  return await device.read(0, device.size);
}
