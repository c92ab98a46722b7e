import { Device, environmentFrom } from "@cev/core";
import { openSource } from "@cev/stack";
import { standardDrivers } from "./standard-drivers.ts";

/** Opens the device that a URI names, whatever is in it. Closing it closes the connection. */
export async function openUri(
  uri: string,
  { isReadOnly }: { readonly isReadOnly: boolean },
): Promise<Device> {
  const environment = environmentFrom(globalThis);
  const { name, layer } = await openSource(uri, {
    environment,
    drivers: standardDrivers(),
    isReadOnly,
  });
  return Device.open(layer, environment, { name, isReadOnly });
}
