import { appendFileSync } from "node:fs";
import type { Tallies } from "./tallies.ts";

/** A case that failed, and how to run it again. */
export interface FailedCase {
  readonly again: string;
  readonly failures: readonly string[];
  readonly log: string;
}

/** Keeps a failed case in a file, with all that is needed to run it again. */
export function keepFailure(file: string, { again, failures, log }: FailedCase): void {
  const indented = log
    .split("\n")
    .map((line) => `    | ${line}`)
    .join("\n");
  appendFileSync(file, `${again}\n  ${failures.join("\n  ")}\n${indented}\n`);
}

/** Prints the table and the count; where something failed, where that is kept, and the process ends with 1. */
export function printOutcome(tallies: Tallies, milliseconds: number, failuresFile: string): void {
  const { passed, failed } = tallies;
  console.log(`\n${tallies.print()}\n`);
  const seconds = (milliseconds / 1000).toFixed(0);
  console.log(`${passed + failed} cases: ${passed} passed, ${failed} failed, ${seconds} s`);
  if (failed === 0) return;
  console.log(`how to repeat the failed ones, and their logs: ${failuresFile}`);
  process.exitCode = 1;
}
