/** Where the tables of configurations are: one in the tests of each package that has any. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import type { ConformanceTable } from "@cev/test-kit";

const TOP = new URL("../../../", import.meta.url);

/** The file of a table. */
export interface TableFile {
  /** As in the manifest: "@cev/raid". */
  readonly package: string;
  readonly url: string;
}

/** All tables of the repository, by package. */
export function tableFiles(): readonly TableFile[] {
  return ["packages", "tests"]
    .flatMap((parent) =>
      readdirSync(new URL(parent, TOP)).map((folder) => new URL(`${parent}/${folder}/`, TOP)),
    )
    .filter((folder) => existsSync(new URL("test/conformance-table.ts", folder)))
    .map((folder) => ({
      package: (JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as { name: string }).name,
      url: new URL("test/conformance-table.ts", folder).href,
    }))
    .toSorted((a, b) => (a.package < b.package ? -1 : 1));
}

/** Loads a table. */
export async function loadTable({ url }: TableFile): Promise<ConformanceTable> {
  const { conformanceTable } = (await import(url)) as { conformanceTable: ConformanceTable };
  return conformanceTable;
}
