/** Compares the tables of options in READMEs with the drivers (`--check`), or makes them anew (`--write`). */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { readmesWithTables } from "../tests/house/option-tables.ts";

const [mode] = process.argv.slice(2);
if (mode !== "--check" && mode !== "--write") {
  process.stderr.write("usage: pnpm option-tables --check | --write\n");
  process.exit(2);
}
const stale = (await readmesWithTables()).filter(({ present, made }) => present !== made);
for (const { path, made } of stale) {
  if (mode === "--write") writeFileSync(resolve(import.meta.dirname, "..", path), made);
  process.stdout.write(
    `${path}: ${mode === "--write" ? "written" : "differs: pnpm option-tables --write"}\n`,
  );
}
if (mode === "--check" && stale.length > 0) process.exitCode = 1;
