import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
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

  test("its README names the options that its drivers take", async () => {
    const listed = namesListed(textBelow("Options"));
    const drivers = await driversOf(name);
    const known = drivers.flatMap(optionNames).toSorted();
    if (drivers.length > 0) expect(listed).toEqual([...new Set(known)]);
  });

  if (namesAllCodes.has(name)) return;
  test("its README names the error codes that its sources name", () => {
    const inSources = codesIn(sourcesOf(name).map(readText).join("\n"));
    expect(codesIn(textBelow("Errors"))).toEqual(inSources);
  });
});

test("core's README names every error code", () => {
  expect(codesIn(readText("packages/core/README.md"))).toEqual(
    codesIn(readText("packages/core/src/errors.ts")),
  );
});

interface DriverShape {
  readonly interfaceVersion: number;
  readonly optionsSchema: { readonly properties?: Readonly<Record<string, unknown>> };
}

async function driversOf(name: string): Promise<DriverShape[]> {
  const manifest = JSON.parse(readText(`packages/${name}/package.json`)) as { readonly name: string };
  const exported = (await import(manifest.name)) as Record<string, unknown>;
  return Object.values(exported).filter(isDriver);
}

function isDriver(value: unknown): value is DriverShape {
  return (
    typeof value === "object" && value !== null && "interfaceVersion" in value && "optionsSchema" in value
  );
}

const optionNames = (driver: DriverShape): string[] => Object.keys(driver.optionsSchema.properties ?? {});
