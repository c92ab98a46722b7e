import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { filesBelow, isTypeScript, packageNames, readText, sourcesOf, top } from "../source-files.ts";

const tableOf = (name: string): string => join(top, `packages/${name}/test/conformance-table.ts`);
const exportsDriver = (name: string): boolean =>
  sourcesOf(name).some((path) => /^export const \w+: Driver\b/m.test(readText(path)));
const driverPackages = packageNames().filter(exportsDriver);

/** The part of a table that is looked at. */
interface TableShape {
  readonly package: string;
  readonly groups: { readonly [group: string]: readonly { readonly name: string }[] };
}

test("there are packages with drivers, and every one has a table of the configurations that it offers", () => {
  expect(driverPackages).toContain("raid");
  expect(driverPackages.filter((name) => !existsSync(tableOf(name)))).toEqual([]);
});

describe.each(driverPackages)("packages/%s", (name) => {
  test("its table is its own, no group is empty, and each configuration is known by its name", async () => {
    const { conformanceTable } = (await import(tableOf(name))) as { conformanceTable: TableShape };
    expect(conformanceTable.package).toBe(`@cev/${name}`);
    const groups = Object.values(conformanceTable.groups);
    expect(groups.filter((group) => group.length === 0)).toEqual([]);
    const names = groups.flat().map((subject) => subject.name);
    expect(names.filter((one, index) => names.indexOf(one) !== index)).toEqual([]);
  });

  test("its tests draw from the table", () => {
    const tests = filesBelow(`packages/${name}/test`, isTypeScript).map(readText);
    expect(tests.filter((text) => text.includes("testTable(conformanceTable"))).toHaveLength(1);
  });
});
