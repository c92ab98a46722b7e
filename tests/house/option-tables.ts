/** Tables of options in READMEs, made from the JSON Schemas of the drivers: between `<!-- options:NAME -->` and `<!-- /options -->`. */
import { standardDrivers } from "@cev/cli";
import { optionsMarkdown } from "@cev/stack";
import { packageNames, readText } from "./source-files.ts";

export interface ReadmeWithTables {
  readonly path: string;
  /** As it is, and as it would be with the tables made anew. */
  readonly present: string;
  readonly made: string;
  /** Drivers whose tables are in it. */
  readonly drivers: readonly string[];
}

const MARKED = /(<!-- options:(\S+) -->\n)[\s\S]*?(\n<!-- \/options -->)/g;

/** Every README of a package that has tables, with what they should be. */
export async function readmesWithTables(): Promise<ReadmeWithTables[]> {
  const registry = standardDrivers();
  const tables = new Map<string, string>();
  for (const name of registry.names) tables.set(name, optionsMarkdown((await registry.find(name))!));
  return packageNames().flatMap((name) => {
    const path = `packages/${name}/README.md`;
    const present = readText(path);
    const drivers: string[] = [];
    const made = present.replaceAll(MARKED, (_all, start: string, driver: string, end: string) => {
      drivers.push(driver);
      const table = tables.get(driver);
      if (table === undefined) throw new Error(`${path}: cev knows no driver ${driver}`);
      return `${start}\n${table}\n${end}`;
    });
    return drivers.length === 0 ? [] : [{ path, present, made, drivers }];
  });
}
