import { Device, environmentFrom } from "@cev/core";
import type { Problem } from "@cev/core";
import { openSource } from "@cev/stack";
import { standardDrivers } from "./standard-drivers.ts";

/** Opens the device that a URI names, whatever is in it. Closing it closes the connection. */
export async function openUri(
  uri: string,
  { isReadOnly, report }: { readonly isReadOnly: boolean; readonly report: (problem: Problem) => void },
): Promise<Device> {
  const environment = environmentFrom(globalThis);
  const { name, layer } = await openSource(uri, {
    environment,
    drivers: standardDrivers(),
    isReadOnly,
    report,
  });
  return Device.open(layer, environment, { name, isReadOnly });
}
