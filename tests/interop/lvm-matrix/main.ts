// The interop matrix of LVM2: volume groups of every kind exchanged with the Linux kernel. `--help` lists the options.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { keepFailure, printOutcome } from "../matrix/failures.ts";
import { Tallies } from "../matrix/tallies.ts";
import { HELP, readOptions } from "./options.ts";
import { runMatrix } from "./runner.ts";

/** Of so many states after a power cut LVM2 gives its opinion, for each command. */
const CRASH_SAMPLE = 8;

const options = readCommandLine("lvm-matrix", HELP, readOptions);
const { shapes, ways, seed, failuresFile } = options;
if (options.isList) {
  for (const { name, sizes } of shapes) console.log(`${name}: ${sizes.length} physical volumes`);
  process.exit(0);
}

const folder = mkdtempSync(join(options.isKept ? process.cwd() : tmpdir(), "lvm-matrix-"));
const tallies = new Tallies("type", ways);
const start = performance.now();
writeFileSync(failuresFile, "");
console.log(`${shapes.length} groups, ways ${ways.join(", ")}, --seed ${seed}`);
try {
  await runMatrix({
    ...options,
    crashSample: CRASH_SAMPLE,
    folder,
    report(verdicts) {
      for (const verdict of verdicts) {
        const { way, type, id, failures, log } = verdict;
        tallies.add(type, way, failures.length === 0);
        if (failures.length === 0) continue;
        console.log(`FAILED ${way} ${id}: ${failures[0]!}`);
        const again = `pnpm run lvm-matrix --case ${id} --way ${way} --seed ${seed}`;
        keepFailure(failuresFile, { again, failures, log });
      }
    },
  });
} finally {
  if (options.isKept) console.log(`images and logs are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
printOutcome(tallies, performance.now() - start, failuresFile);
