import { dirname } from "node:path";
import {
  isStackFilePath,
  optionsMarkdown,
  optionsSchemaOf,
  readStackFile,
  resolveDriver,
  stackSchema,
} from "@cev/stack";
import type { AnyDriver, DescribedDriver } from "@cev/stack";
import { ExitStatus } from "./exit-status.ts";
import { say } from "./output.ts";
import { standardDrivers } from "./standard-drivers.ts";
import { UsageError } from "./usage-error.ts";

export interface SchemaOptions {
  readonly driver?: string;
  readonly markdown?: boolean;
}

/** `cev schema`: the JSON Schema of stack files for editors, or of one driver's options; or the options as tables. */
export async function schema(path: string | undefined, options: SchemaOptions): Promise<ExitStatus> {
  if (path !== undefined && !isStackFilePath(path))
    throw new UsageError(`${path} is no stack file (.yaml, .yml, .json); a driver is named by --driver`);
  const registry = standardDrivers();
  const directory = path === undefined ? "." : dirname(path);
  const find = (name: string): Promise<AnyDriver> => resolveDriver(name, registry, directory);
  if (options.driver !== undefined) {
    const driver = await find(options.driver);
    say(options.markdown === true ? optionsMarkdown(driver) : json(optionsSchemaOf(driver)));
    return ExitStatus.done;
  }
  const named = path === undefined ? [] : await driversIn(path);
  const drivers = await Promise.all(
    [...new Set([...registry.names, ...named])].map(async (name) => knownAs(name, await find(name))),
  );
  say(options.markdown === true ? tables(drivers) : json(stackSchema(drivers)));
  return ExitStatus.done;
}

/** The drivers that a stack file names, in its words. */
async function driversIn(path: string): Promise<string[]> {
  const { description } = await readStackFile(path);
  return Object.values(description.devices).map(({ driver }) => driver);
}

/** A stack file calls a driver by the package or the path that it is in. */
function knownAs(name: string, driver: AnyDriver): DescribedDriver {
  const { summary, lowers, options } = driver;
  return { name, summary, lowers, options, optionsSchema: optionsSchemaOf(driver) };
}

function tables(drivers: readonly DescribedDriver[]): string {
  return drivers
    .map((driver) => `## ${driver.name}\n\n${driver.summary}\n\n${optionsMarkdown(driver)}\n`)
    .join("\n");
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);
