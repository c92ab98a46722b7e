// The interop matrix: arrays exchanged with the Linux kernel in every level, layout, superblock version, number of
// members, chunk and set of missing members. `--help` lists the options.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setId } from "./cases.ts";
import { HELP, readOptions } from "./options.ts";
import { runMatrix } from "./runner.ts";
import { survivableSets } from "./survival.ts";
import { Tallies } from "./table.ts";

const options = readArguments();
if (options === null) {
  console.log(HELP);
  process.exit(0);
}
const { arrays, ways, seed, failuresFile } = options;
if (options.isList) {
  for (const array of arrays) for (const missing of survivableSets(array)) console.log(setId(array, missing));
  process.exit(0);
}

const folder = mkdtempSync(join(options.isKept ? process.cwd() : tmpdir(), "raid-matrix-"));
const tallies = new Tallies(ways);
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
        tallies.add(verdict);
        if (verdict.failures.length === 0) continue;
        const { way, array, missing, failures, log } = verdict;
        const again = `pnpm run raid-matrix --case ${setId(array, missing)} --way ${way} --seed ${seed}`;
        console.log(`FAILED ${way} ${setId(array, missing)}: ${failures[0]!}`);
        appendFileSync(failuresFile, `${again}\n  ${failures.join("\n  ")}\n${indent(log)}\n`);
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
console.log(`\n${tallies.print()}\n`);
console.log(
  `${tallies.passed + tallies.failed} cases: ${tallies.passed} passed, ${tallies.failed} failed, ${seconds()} s`,
);
if (tallies.failed > 0) {
  console.log(`how to repeat the failed ones, and their logs: ${failuresFile}`);
  process.exitCode = 1;
}

function readArguments(): ReturnType<typeof readOptions> {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`raid-matrix: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(2);
  }
}

function seconds(): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    | ${line}`)
    .join("\n");
}
