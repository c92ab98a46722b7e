import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./table.ts";

/** What a search for a planted defect came to. */
export interface MutantResult {
  readonly name: string;
  readonly seconds: number;
  readonly stepCount: number;
  /** The replay line; null: it was not found. */
  readonly line: string | null;
}

/** Looks for a planted defect in a process of its own, as long as this at most. */
export function searchMutant(mutant: Mutant, seed: number, minutes: number): MutantResult {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const register = new URL("register.ts", import.meta.url).href;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...["--conditions=@cev/source", "--disable-warning=ExperimentalWarning", "--import", register, main],
      ...["--json", "--seed", String(seed), "--minutes", String(minutes), "--kinds", mutant.kinds.join(",")],
    ],
    { encoding: "utf8", env: { ...process.env, CEV_MUTANT: mutant.name }, timeout: (minutes + 1) * 60_000 },
  );
  if (!stdout.startsWith("{")) throw new Error(`mutant ${mutant.name} did not run: ${stderr || stdout}`);
  const report = JSON.parse(stdout) as {
    readonly seconds: number;
    readonly stepCount: number;
    readonly failures: readonly string[];
  };
  const { seconds, stepCount, failures } = report;
  return { name: mutant.name, seconds, stepCount, line: failures[0] ?? null };
}

/** Looks for one after the other, and prints how long that took. Returns the exit status. */
export function runMutants(mutants: readonly Mutant[], seed: number, minutes: number): number {
  let missedCount = 0;
  for (const mutant of mutants) {
    const { name, seconds, stepCount, line } = searchMutant(mutant, seed, minutes);
    if (line === null) missedCount++;
    console.log(
      `${name} (${mutant.what}): ${line === null ? "NOT FOUND" : "found"} after ${seconds.toFixed(1)} s, ${stepCount} steps`,
    );
    if (line !== null) console.log(`  ${line}`);
  }
  return missedCount === 0 ? 0 : 1;
}
