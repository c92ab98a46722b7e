// Runs test programs of other projects against an NBD server: main.ts --help.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { iotestCases } from "./iotests.ts";
import { libnbdCases } from "./libnbd-programs.ts";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { parseOptions, USAGE } from "./options.ts";
import type { Suite } from "./options.ts";
import { writeCev } from "./servers.ts";
import { Sources } from "./sources.ts";
import { testerCases } from "./tester-client.ts";
import { judge } from "./verdict.ts";
import type { Case } from "./verdict.ts";

const options = readCommandLine("nbd-black-box", USAGE, parseOptions);
// A short path: the name of a socket in it has at most 107 bytes.
const folder = mkdtempSync(join(tmpdir(), "black-box-"));
process.once("SIGINT", () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(130);
});
let failedCount = 0;
try {
  const sources = new Sources(options.sources ?? join(folder, "sources"));
  for (const suite of options.suites) await runSuite(suite, sources);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failedCount === 0 ? 0 : 1;

async function runSuite(suite: Suite, sources: Sources): Promise<void> {
  const count = { passed: 0, skipped: 0, failed: 0 };
  for (const one of await casesOf(suite, sources)) {
    if (!one.name.includes(options.only)) continue;
    const start = performance.now();
    const verdict = await judge(one);
    const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
    count[verdict.kind]++;
    if (options.isJson) console.log(JSON.stringify({ suite, name: one.name, seconds, ...verdict }));
    else {
      const why = verdict.kind === "passed" ? "" : `: ${verdict.why}`;
      console.log(`${suite} ${one.name} ${verdict.kind} (${seconds} s)${why}`);
    }
  }
  failedCount += count.failed;
  if (!options.isJson)
    console.log(
      `${suite} against ${options.server}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`,
    );
}

async function casesOf(suite: Suite, sources: Sources): Promise<Case[]> {
  const place = join(folder, "run");
  mkdirSync(place, { recursive: true });
  const setting = { folder: place, cev: writeCev(place), server: options.server };
  switch (suite) {
    case "nbd-tester":
      return testerCases(sources, setting);
    case "libnbd":
      return libnbdCases(sources, setting);
    case "iotests":
      return iotestCases(sources, setting);
  }
}
