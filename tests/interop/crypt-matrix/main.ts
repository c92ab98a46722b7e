// The interop matrix of @cev/crypt: encrypted devices exchanged with cryptsetup and the Linux kernel. `--help` lists the options.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { keepFailure, printOutcome } from "../matrix/failures.ts";
import { Tallies } from "../matrix/tallies.ts";
import { HELP, readOptions } from "./options.ts";
import { runMatrix } from "./runner.ts";

const options = readCommandLine("crypt-matrix", HELP, readOptions);
const { cases, ways, seed, failuresFile } = options;
if (options.isList) {
  const list = cases.map(({ id }) => `${id}\n`).join("");
  await new Promise((resolve) => process.stdout.write(list, resolve));
  process.exit(0);
}

const folder = mkdtempSync(join(options.isKept ? process.cwd() : tmpdir(), "crypt-matrix-"));
const tallies = new Tallies("format and cipher", [...ways, "refused"]);
const start = performance.now();
let told = start;
writeFileSync(failuresFile, "");
console.log(`${cases.length} devices, ${ways.join(", ")}, --seed ${seed}`);
try {
  await runMatrix({
    ...options,
    folder,
    report(verdicts) {
      for (const { way, kind, id, isRefused, failures, log } of verdicts) {
        tallies.add(kind, isRefused ? "refused" : way, failures.length === 0);
        if (failures.length === 0) continue;
        console.log(`FAILED ${way} ${id}: ${failures[0]!.split("\n")[0]!}`);
        const again = `pnpm run crypt-matrix --case ${id} --what ${way} --seed ${seed}`;
        keepFailure(failuresFile, { again, failures, log });
      }
      if (performance.now() - told < 20_000) return;
      told = performance.now();
      const seconds = ((told - start) / 1000).toFixed(0);
      console.log(`… ${tallies.passed} passed, ${tallies.failed} failed after ${seconds} s`);
    },
  });
} finally {
  if (options.isKept) console.log(`images and logs are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
printOutcome(tallies, performance.now() - start, failuresFile);
