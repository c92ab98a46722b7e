import { readFileSync } from "node:fs";

/** One field of an on-disk structure, as a table in `docs/formats` has it. */
export interface FormatRow {
  readonly offset: number;
  readonly size: number;
  /** Empty: nothing of a name lies there. */
  readonly name: string;
  readonly meaning: string;
}

/**
 * The rows of a byte table that have a fixed place. Tables are found by the heading above them and counted from 0
 * below it; their columns are offset, size, name, meaning.
 */
export function readFormatTable(document: string, heading: string, index = 0): FormatRow[] {
  const path = new URL(`../../../docs/formats/${document}`, import.meta.url);
  const lines = readFileSync(path, "utf8").split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (start < 0) throw new Error(`${document} has no heading "${heading}"`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line));
  const tables: string[][] = [];
  let isInside = false;
  for (const line of end < 0 ? rest : rest.slice(0, end)) {
    const isRow = line.startsWith("|");
    if (isRow && !isInside) tables.push([]);
    if (isRow) tables.at(-1)!.push(line);
    isInside = isRow;
  }
  const table = tables[index];
  if (table === undefined) throw new Error(`${document} has no table ${index} below "${heading}"`);
  return table.slice(2).flatMap((line): FormatRow[] => {
    const [offset = "", size = "", name = "", meaning = ""] = line
      .split("|")
      .slice(1)
      .map((cell) => cell.trim());
    if (!/^\d+$/.test(offset) || !/^\d+$/.test(size)) return [];
    return [{ offset: Number(offset), size: Number(size), name: name.replaceAll("`", ""), meaning }];
  });
}
