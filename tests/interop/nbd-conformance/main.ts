// Runs the conformance suite against cev, nbdkit, qemu-nbd and nbd-server, and prints the tables of docs/conformance.md.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { makeCertificates, makeKeys } from "../black-box/credentials.ts";
import { contestants } from "./contestants.ts";
import { judge } from "./judge.ts";
import type { ContestantResult } from "./judge.ts";
import { misquotes } from "./quotes.ts";
import { countsTable, findingsTable, rowsMissingIn } from "./tables.ts";

const USAGE = `usage: pnpm run nbd-conformance [OPTION]...

Puts the rules of the NBD protocol to cev, nbdkit, qemu-nbd and nbd-server, and prints the tables of docs/conformance.md. A server
that is not there is left out, and named.

  --server TEXT           only servers with TEXT in their name
  --only TEXT             only checks with TEXT in their name
  --nbd-server PATH       an nbd-server; --new-nbd-server PATH a newer one beside it
  --qemu-nbd PATH         a newer qemu-nbd beside that of the system
  --document PATH         the protocol's document, of which the checks quote: each quotation is looked up (may be repeated)
  --check                 fails where docs/conformance.md does not hold what was found

Examples:
  pnpm nbd-conformance --server cev
  pnpm nbd-conformance --check
`;

const values = readCommandLine("nbd-conformance", USAGE, (args) => {
  const parsed = parseArgs({
    args: [...args],
    options: {
      "nbd-server": { type: "string" },
      "new-nbd-server": { type: "string" },
      "qemu-nbd": { type: "string" },
      document: { type: "string", multiple: true },
      check: { type: "boolean", default: false },
      server: { type: "string" },
      only: { type: "string" },
      help: { type: "boolean", default: false },
    },
  }).values;
  return parsed.help ? null : parsed;
});
const folder = mkdtempSync(join(tmpdir(), "nbdc-"));
let failedCount = 0;
try {
  const credentials = join(folder, "keys");
  await makeCertificates(credentials);
  makeKeys(join(credentials, "keys.psk"), "alice");
  const setting = {
    folder,
    credentials,
    newQemuNbd: values["qemu-nbd"] ?? null,
    nbdServer: values["nbd-server"] ?? null,
    newNbdServer: values["new-nbd-server"] ?? null,
  };
  const results: ContestantResult[] = [];
  for (const contestant of contestants(setting)) {
    if (values.server !== undefined && !contestant.name.includes(values.server)) continue;
    if (contestant.missing !== null) {
      console.log(`${contestant.name}: left out, ${contestant.missing}`);
      continue;
    }
    const result = await judge(contestant, { folder, only: values.only ?? null });
    results.push(result);
    failedCount += result.unknown.length;
    for (const { name, what } of result.unknown)
      console.log(`${contestant.name}: NEW ${name}: ${what ?? ""}`);
    for (const name of result.gone) console.log(`${contestant.name}: no longer so: ${name}`);
  }
  console.log(countsTable(results));
  console.log(findingsTable(results));
  if (values.check) {
    const written = readFileSync(new URL("../../../docs/conformance.md", import.meta.url), "utf8");
    const missing = rowsMissingIn(written, countsTable(results), findingsTable(results));
    failedCount += missing.length;
    for (const row of missing) console.log(`not in docs/conformance.md: ${row}`);
  }
  const texts = (values.document ?? []).map((path) => readFileSync(path, "utf8"));
  if (texts.length > 0) {
    const wrong = misquotes(
      results.flatMap(({ checks }) => checks),
      texts,
    );
    failedCount += wrong.length;
    for (const line of wrong) console.log(`not in the document: ${line}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failedCount === 0 ? 0 : 1;
