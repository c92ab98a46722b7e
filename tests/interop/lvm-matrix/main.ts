// The interop matrix of LVM2: volume groups of every kind exchanged with the Linux kernel. `--help` lists the options.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HELP, readOptions } from "./options.ts";
import { runMatrix } from "./runner.ts";
import { Tallies } from "./table.ts";

/** Of so many states after a power cut LVM2 gives its opinion, for each command. */
const CRASH_SAMPLE = 8;

const options = readArguments();
if (options === null) {
  console.log(HELP);
  process.exit(0);
}
const { shapes, ways, seed, failuresFile } = options;
if (options.isList) {
  for (const { name, sizes } of shapes) console.log(`${name}: ${sizes.length} physical volumes`);
  process.exit(0);
}

const folder = mkdtempSync(join(options.isKept ? process.cwd() : tmpdir(), "lvm-matrix-"));
const tallies = new Tallies(ways);
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
        tallies.add(verdict);
        if (verdict.failures.length === 0) continue;
        const { way, id, failures, log } = verdict;
        console.log(`FAILED ${way} ${id}: ${failures[0]!}`);
        const again = `pnpm run lvm-matrix --case ${id} --way ${way} --seed ${seed}`;
        appendFileSync(failuresFile, `${again}\n  ${failures.join("\n  ")}\n${indent(log)}\n`);
      }
    },
  });
} finally {
  if (options.isKept) console.log(`images and logs are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
console.log(`\n${tallies.print()}\n`);
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(
  `${tallies.passed + tallies.failed} cases: ${tallies.passed} passed, ${tallies.failed} failed, ${seconds} s`,
);
if (tallies.failed > 0) {
  console.log(`how to repeat the failed ones, and their logs: ${failuresFile}`);
  process.exitCode = 1;
}

function readArguments(): ReturnType<typeof readOptions> {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`lvm-matrix: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(2);
  }
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    | ${line}`)
    .join("\n");
}
