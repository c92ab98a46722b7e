// Breaks servers, lines and disks under a load that is checked: main.ts --help.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeCev } from "../black-box/servers.ts";
import { byteCutCases } from "./byte-cuts.ts";
import type { FaultCase } from "./fault-case.ts";
import { hangCases } from "./hang-cases.ts";
import { killCases } from "./kill-cases.ts";
import { lineCutCases } from "./line-cuts.ts";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { USAGE, parseOptions } from "./options.ts";
import { raidCases } from "./raid-case.ts";

const CASES: readonly FaultCase[] = [
  ...killCases(),
  ...raidCases(),
  ...lineCutCases(),
  ...byteCutCases(),
  ...hangCases(),
];

const options = readCommandLine("nbd-faults", USAGE, parseOptions);
const cases = CASES.filter(({ name }) => name.includes(options.only));
if (options.isList) {
  for (const { name } of cases) console.log(name);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "nbdf-"));
process.once("SIGINT", () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(130);
});
let failedCount = 0;
try {
  console.log(`seed ${options.seed}, ${options.seconds} seconds each`);
  const cev = writeCev(folder);
  for (const [index, one] of cases.entries()) await judge(one, join(folder, String(index)), cev);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${cases.length - failedCount} passed, ${failedCount} failed`);
// A run of nothing shows nothing.
process.exitCode = failedCount === 0 && cases.length > 0 ? 0 : 1;

async function judge({ name, run }: FaultCase, place: string, cev: string): Promise<void> {
  const { seconds, seed } = options;
  mkdirSync(place);
  const start = performance.now();
  const took = (): string => `${((performance.now() - start) / 1000).toFixed(0)} s`;
  try {
    const figures = await run({ folder: place, cev, seconds, seed });
    console.log(`${name}: passed (${took()}): ${figures}`);
  } catch (error) {
    failedCount++;
    console.log(`${name}: failed (${took()}): ${messageOf(error)}`);
    console.log(`  again: pnpm run nbd-faults --only '${name}' --seed ${seed} --seconds ${seconds}`);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
