import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CevError } from "@cev/core";
import { checkDriver, isDriverLike } from "./registry.ts";
import type { AnyDriver, DriverRegistry } from "./registry.ts";

/**
 * A driver by the name a stack file gives it: one of the registry, else a package name or a relative path, looked for from
 * `directory`. Importing runs the module's code.
 */
export async function resolveDriver(
  name: string,
  registry: DriverRegistry,
  directory: string,
): Promise<AnyDriver> {
  const known = registry.get(name);
  if (known !== undefined) return known;
  const file = await fileOf(name, registry, directory);
  const exported = await importAll(name, file);
  return driverAmong(name, exported);
}

async function fileOf(name: string, registry: DriverRegistry, directory: string): Promise<string> {
  if (name.startsWith("./") || name.startsWith("../") || isAbsolute(name)) return resolve(directory, name);
  try {
    return createRequire(join(resolve(directory), "stack.yaml")).resolve(name);
  } catch (error) {
    // Packages that are for `import` alone say so in their exports, and resolving for `require` stops there.
    const file = isNotExported(error) ? await importEntryOf(name, resolve(directory)) : null;
    if (file !== null) return file;
    throw new CevError("CEV_NOT_FOUND", `there is no driver ${name}, nor a package of that name`, {
      hint: `known are ${registry.names.join(", ")}; a package must be installed where the stack file can see it, a file is written ./like-this.js`,
      cause: error,
    });
  }
}

function isNotExported(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
}

/** The file that a package's `exports` names for `import`. */
async function importEntryOf(name: string, directory: string): Promise<string | null> {
  for (let at = directory; ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => null);
    if (text !== null) {
      const { exports } = JSON.parse(text) as { readonly exports?: unknown };
      const main = isRecord(exports) && "." in exports ? exports["."] : exports;
      const target = targetOf(main);
      return target === null ? null : join(folder, target);
    }
    if (dirname(at) === at) return null;
  }
}

function targetOf(entry: unknown): string | null {
  if (typeof entry === "string") return entry;
  if (!isRecord(entry)) return null;
  for (const [condition, value] of Object.entries(entry)) {
    if (!["node", "import", "default"].includes(condition)) continue;
    const target = targetOf(value);
    if (target !== null) return target;
  }
  return null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

async function importAll(name: string, file: string): Promise<readonly unknown[]> {
  try {
    const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
    return Object.values(module);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!existsSync(file))
      throw new CevError("CEV_NOT_FOUND", `there is no driver file ${file}`, { cause: error });
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    throw new CevError(
      isMissing ? "CEV_NOT_FOUND" : "CEV_INVALID",
      `the driver ${name} cannot be loaded: ${message}`,
      { cause: error },
    );
  }
}

function driverAmong(name: string, exported: readonly unknown[]): AnyDriver {
  const drivers = [...new Set(exported.filter(isDriverLike))];
  const driver = drivers.length === 1 ? drivers[0] : drivers.find((one) => one.name === name);
  if (driver === undefined) {
    throw new CevError(
      drivers.length === 0 ? "CEV_NOT_FOUND" : "CEV_AMBIGUOUS",
      drivers.length === 0
        ? `${name} exports no driver`
        : `${name} exports several drivers (${drivers.map((one) => one.name).join(", ")}) and none of its own name`,
      { hint: "a driver is an exported object with name, interfaceVersion, options, lowers and open" },
    );
  }
  checkDriver(driver, name);
  return driver;
}
