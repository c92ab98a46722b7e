import { CevError } from "@cev/core";
import type { Environment, Layer, Problem } from "@cev/core";
import { NO_KEYS } from "./assembly.ts";
import { checkOptions } from "./driver-options.ts";
import { imageSources } from "./probe/image-sources.ts";
import type { AnyDriver } from "./registry.ts";
import { DriverRegistry } from "./registry.ts";

/** How one source is opened. */
export interface OpenSourceOptions {
  readonly environment: Environment;
  readonly drivers: Iterable<AnyDriver>;
  readonly isReadOnly: boolean;
  /** The driver that opens image files; one of `drivers`. Default "@cev/hw-file". */
  readonly imageDriver?: string;
  /** Is told of what does not stop the work, also while the layer is in use. */
  readonly report?: (problem: Problem) => void;
  /** Relative paths start here. Default: the current directory. */
  readonly directory?: string;
}

/** A file, or what a URI names, as a layer, whatever is in it. It is not open yet. */
export async function openSource(
  source: string,
  {
    environment,
    drivers,
    isReadOnly,
    report = () => undefined,
    imageDriver = "@cev/hw-file",
    directory = ".",
  }: OpenSourceOptions,
): Promise<{ readonly name: string; readonly layer: Layer }> {
  const registry = drivers instanceof DriverRegistry ? drivers : new DriverRegistry(drivers);
  const [image] = await imageSources([source], { drivers: registry, imageDriver, directory });
  const { name, driver, options } = image!;
  const opened = await driver.open({
    environment,
    options: await checkOptions(driver, options, "the call", [name]),
    lowers: [],
    keySource: NO_KEYS,
    isReadOnly,
    canWriteDegraded: false,
    directory,
    report,
  });
  const [only] = opened;
  if (only === undefined || opened.length > 1)
    throw new CevError("CEV_INVALID", `${driver.name} did not open one device`, { source: name });
  return { name, layer: only.layer };
}
