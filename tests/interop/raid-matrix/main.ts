// The interop matrix: arrays exchanged with the Linux kernel in every level, layout, superblock version, number of
// members, chunk and set of missing members. `--help` lists the options.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { keepFailure, printOutcome } from "../matrix/failures.ts";
import { Tallies } from "../matrix/tallies.ts";
import { levelTitle, setId } from "./cases.ts";
import { HELP, readOptions } from "./options.ts";
import { runMatrix } from "./runner.ts";
import { survivableSets } from "./survival.ts";

const options = readCommandLine("raid-matrix", HELP, readOptions);
const { arrays, ways, seed, failuresFile } = options;
if (options.isList) {
  for (const array of arrays) for (const missing of survivableSets(array)) console.log(setId(array, missing));
  process.exit(0);
}

const folder = mkdtempSync(join(options.isKept ? process.cwd() : tmpdir(), "raid-matrix-"));
const tallies = new Tallies("level and layout", ways);
const start = performance.now();
let told = start;
writeFileSync(failuresFile, "");
console.log(`${arrays.length} arrays, ways ${ways.join(", ")}, --seed ${seed}`);
try {
  await runMatrix({
    ...options,
    folder,
    report(verdicts) {
      for (const verdict of verdicts) {
        const { way, array, missing, failures, log } = verdict;
        const kind = `${levelTitle(array.level)} ${array.layout}`.replace(/ -$/, "");
        tallies.add(kind, way, failures.length === 0);
        if (failures.length === 0) continue;
        const again = `pnpm run raid-matrix --case ${setId(array, missing)} --way ${way} --seed ${seed}`;
        console.log(`FAILED ${way} ${setId(array, missing)}: ${failures[0]!}`);
        keepFailure(failuresFile, { again, failures, log });
      }
      if (performance.now() - told < 20_000) return;
      told = performance.now();
      console.log(`… ${tallies.passed} passed, ${tallies.failed} failed after ${seconds()} s`);
    },
  });
} finally {
  if (options.isKept) console.log(`images and logs are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
printOutcome(tallies, performance.now() - start, failuresFile);

function seconds(): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}
