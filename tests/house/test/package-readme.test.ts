import { existsSync } from "node:fs";
import { join } from "node:path";
import { ERROR_CODES } from "@cev/core";
import { optionsSchemaOf } from "@cev/stack";
import type { DescribedDriver } from "@cev/stack";
import { describe, expect, test } from "vitest";
import { readmesWithTables } from "../option-tables.ts";
import { codesIn, namesListed, sectionsOf } from "../readme.ts";
import { packageNames, readText, sourcesOf, top } from "../source-files.ts";

const order = ["Synopsis", "Description", "Options", "On disk", "Errors", "Examples", "See also"];
const required = order.filter((heading) => heading !== "On disk");

// These name every code because they are the table of codes, or print whatever code they are handed.
const namesAllCodes = new Set(["core", "nbd", "cli"]);

describe.each(packageNames())("packages/%s", (name) => {
  const path = `packages/${name}/README.md`;
  const readme = existsSync(join(top, path)) ? readText(path) : "";
  const sections = sectionsOf(readme);
  const textBelow = (heading: string): string => sections.find((one) => one.heading === heading)?.text ?? "";

  test("its README has the headings that all share, in their order", () => {
    const shared = sections.map((one) => one.heading).filter((heading) => order.includes(heading));
    expect(shared).toEqual(order.filter((heading) => shared.includes(heading)));
    expect(required.filter((heading) => !shared.includes(heading))).toEqual([]);
  });

  test("its README has the table of options of each of its drivers, as the drivers say it", async () => {
    const readme = (await readmesWithTables()).find((one) => one.path === path);
    const known = (await driversOf(name)).map((driver) => driver.name);
    expect((readme?.drivers ?? []).toSorted()).toEqual(known.toSorted());
    expect(readme?.present, "to make them anew: pnpm option-tables --write").toBe(readme?.made);
  });

  test("its README names no options that its drivers do not take", async () => {
    const drivers = await driversOf(name);
    const known = new Set(drivers.flatMap(optionNames));
    const listed = namesListed(textBelow("Options")).map((option) => option.split(".")[0]!);
    expect(drivers.length === 0 ? [] : listed.filter((option) => !known.has(option))).toEqual([]);
  });

  if (namesAllCodes.has(name)) return;
  test("its README names the error codes that its sources name", () => {
    // Variables of the environment look like codes: what is none of core's table is none.
    const named = codesIn(sourcesOf(name).map(readText).join("\n"));
    const inSources = named.filter((code) => Object.hasOwn(ERROR_CODES, code));
    expect(codesIn(textBelow("Errors"))).toEqual(inSources);
  });
});

test("core's README names every error code", () => {
  expect(codesIn(readText("packages/core/README.md"))).toEqual(
    codesIn(readText("packages/core/src/errors.ts")),
  );
});

interface Manifest {
  readonly name: string;
  readonly exports: object;
}

/** The drivers that a package exports, under its own name and under others. */
async function driversOf(name: string): Promise<DescribedDriver[]> {
  const manifest = JSON.parse(readText(`packages/${name}/package.json`)) as Manifest;
  // What makes packages for others has no driver itself.
  if (!manifest.name.startsWith("@cev/")) return [];
  const subpaths = Object.keys(manifest.exports).filter((subpath) => !subpath.endsWith(".json"));
  const modules = await Promise.all(
    subpaths.map((subpath) => import(join(manifest.name, subpath)) as Promise<Record<string, unknown>>),
  );
  return [...new Set(modules.flatMap((module) => Object.values(module)).filter(isDriver))];
}

function isDriver(value: unknown): value is DescribedDriver {
  return typeof value === "object" && value !== null && "interfaceVersion" in value && "lowers" in value;
}

const optionNames = (driver: DescribedDriver): string[] =>
  Object.keys((optionsSchemaOf(driver)["properties"] ?? {}) as object);
