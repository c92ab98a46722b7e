import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, normalize, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CevError } from "@cev/core";
import { checkDriver, isDriverLike } from "./registry.ts";
import type { AnyDriver, DriverRegistry } from "./registry.ts";

/**
 * A driver by the name a stack file gives it: one of the registry, else a package name, a driver of a package that has several
 * (`package/name`), or a path, looked for from `directory`. Importing runs the module's code.
 */
export async function resolveDriver(
  name: string,
  registry: DriverRegistry,
  directory: string,
): Promise<AnyDriver> {
  const known = await registry.find(name);
  if (known !== undefined) return known;
  const own = isPath(name) ? resolve(directory, name) : await entryOf(name, directory);
  if (own !== null && isFolder(own)) throw await folderError(name, own);
  if (own !== null) return driverAmong(name, await importAll(name, own), 1);
  // A package that offers nothing under this name may have a driver of this name among all that it offers.
  const { packageName, subpath } = partsOf(name);
  const whole = subpath === "." ? null : await entryOf(packageName, directory);
  if (whole !== null) return driverAmong(name, await importAll(name, whole), 0);
  throw new CevError("CEV_NOT_FOUND", `there is no driver ${name}, nor a package of that name`, {
    hint: `known are ${registry.names.join(", ")}; a package must be installed where the stack file can see it, a file is written ./like-this.js`,
  });
}

const isPath = (name: string): boolean => name.startsWith("./") || name.startsWith("../") || isAbsolute(name);

/** `@me/layers/fast` is the driver `./fast` of the package `@me/layers`. */
function partsOf(name: string): { readonly packageName: string; readonly subpath: string } {
  const words = name.split("/");
  const count = name.startsWith("@") ? 2 : 1;
  return {
    packageName: words.slice(0, count).join("/"),
    subpath: [".", ...words.slice(count)].join("/"),
  };
}

/** The file that importing this name gives, seen from a folder; null: there is none. */
async function entryOf(name: string, directory: string): Promise<string | null> {
  try {
    return createRequire(join(resolve(directory), "stack.yaml")).resolve(name);
  } catch {
    // Packages that are for `import` alone say so in their exports, and resolving for `require` stops there; and where the file that is
    // meant is not there, its name is worth being told.
    return importEntryOf(name, resolve(directory));
  }
}

/** The file that a package names for `import`, whether it is there or not. */
async function importEntryOf(name: string, directory: string): Promise<string | null> {
  const { packageName, subpath } = partsOf(name);
  for (let at = directory; ; at = dirname(at)) {
    for (const folder of [at, join(at, "node_modules", packageName)]) {
      const manifest = await manifestIn(folder);
      // Any folder may lie above; the one that is meant has the name, and may be seen from within.
      if (manifest === null || (folder === at && manifest["name"] !== packageName)) continue;
      const { exports = null, main = "index.js" } = manifest;
      const target = targetOf(
        exports === null ? (subpath === "." ? main : null) : exportedAs(exports, subpath),
      );
      return target === null ? null : join(folder, target);
    }
    if (dirname(at) === at) return null;
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** A path that leads to no file: what is in the folder is not guessed at, but told. */
async function folderError(name: string, folder: string): Promise<CevError> {
  const manifest = await manifestIn(folder);
  const { exports = null, main = "index.js" } = manifest ?? {};
  const entry = manifest === null ? null : targetOf(exports === null ? main : exportedAs(exports, "."));
  const file = `${name.replace(/\/+$/, "")}/${entry === null ? "index.js" : normalize(entry)}`;
  return new CevError("CEV_INVALID", `the driver ${name} is a folder`, {
    hint: `name the file of the driver in it${entry === null ? ", such as" : ":"} ${file}`,
  });
}

async function manifestIn(folder: string): Promise<Record<string, unknown> | null> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => null);
  if (text === null) return null;
  try {
    const manifest: unknown = JSON.parse(text);
    return isRecord(manifest) ? manifest : null;
  } catch {
    return null;
  }
}

/** What `exports` say of a subpath: of `"."` alone where they have no subpaths, else the entry of that name, or the longest pattern. */
function exportedAs(exports: unknown, subpath: string): unknown {
  const hasSubpaths = isRecord(exports) && Object.keys(exports).some((key) => key.startsWith("."));
  if (!hasSubpaths) return subpath === "." ? exports : null;
  if (Object.hasOwn(exports, subpath)) return exports[subpath];
  const patterns = Object.keys(exports)
    .filter((key) => key.includes("*"))
    .toSorted((a, b) => b.indexOf("*") - a.indexOf("*"));
  for (const pattern of patterns) {
    const [before = "", after = ""] = pattern.split("*");
    const isFitting = subpath.length > before.length + after.length;
    if (!isFitting || !subpath.startsWith(before) || !subpath.endsWith(after)) continue;
    const star = subpath.slice(before.length, subpath.length - after.length);
    // What leads out of the package's folder is nothing that it offers.
    if (star.split("/").includes("..")) return null;
    const target = targetOf(exports[pattern]);
    return target === null ? null : target.replaceAll("*", () => star);
  }
  return null;
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
      throw new CevError("CEV_NOT_FOUND", `there is no driver file ${file}`, {
        cause: error,
        ...(isPath(name) ? {} : { hint: `is ${partsOf(name).packageName} built?` }),
      });
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    throw new CevError(
      isMissing ? "CEV_NOT_FOUND" : "CEV_INVALID",
      `the driver ${name} cannot be loaded: ${message}`,
      { cause: error },
    );
  }
}

/** The driver of this name; so many drivers may be meant whatever they are called. */
function driverAmong(name: string, exported: readonly unknown[], anyMax: number): AnyDriver {
  const drivers = [...new Set(exported.filter(isDriverLike))];
  const driver =
    drivers.find((one) => one.name === name) ?? (drivers.length === anyMax ? drivers[0] : undefined);
  if (driver === undefined) {
    const names = drivers.map((one) => one.name).join(", ");
    throw new CevError(
      drivers.length > anyMax && anyMax > 0 ? "CEV_AMBIGUOUS" : "CEV_NOT_FOUND",
      drivers.length === 0
        ? `${name} exports no driver`
        : anyMax === 0
          ? `there is no driver ${name}: its package has ${names}`
          : `${name} exports several drivers (${names}) and none of its own name`,
      { hint: "a driver is an exported object with name, interfaceVersion, options, lowers and open" },
    );
  }
  checkDriver(driver, name);
  return driver;
}
