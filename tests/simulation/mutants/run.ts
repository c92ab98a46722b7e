import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { NAMED_KINDS } from "../kinds/index.ts";
import { record } from "./recorded.ts";
import type { Mutant } from "./table.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const NODE = ["--conditions=@cev/source", "--disable-warning=ExperimentalWarning"];

/** What a search for a planted defect came to. */
interface MutantResult {
  /** Of the clock, and of a processor. */
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly stepCount: number;
  /** The replay line; null: it was not found. */
  readonly line: string | null;
}

/** Looks for a planted defect in a process of its own, so many minutes of a processor at most. */
export function searchMutant(mutant: Mutant, seed: number, minutes: number): MutantResult {
  const register = new URL("register.ts", import.meta.url).href;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[...NODE, "--import", register, MAIN, "--json", "--seed", String(seed)],
      ...["--minutes", String(minutes), "--of-processor", "--kinds", mutant.kinds.join(",")],
    ],
    { encoding: "utf8", env: { ...process.env, CEV_MUTANT: mutant.name } },
  );
  if (!stdout.startsWith("{")) throw new Error(`mutant ${mutant.name} did not run: ${stderr || stdout}`);
  const report = JSON.parse(stdout) as {
    readonly seconds: number;
    readonly stepCount: number;
    readonly failures: readonly string[];
  };
  const { seconds, stepCount, failures } = report;
  const processorSeconds = [...stderr.matchAll(/^processor (\S+)$/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
  return { seconds, processorSeconds, stepCount, line: failures[0] ?? null };
}

/** What a replay line finds in the sources as they are; null: nothing. `isWhole`: all of the run, not the little that was kept. */
function foundUnaltered(line: string, isWhole: boolean): string | null {
  const replay = argumentsOf(line).filter(
    (_argument, index, all) =>
      !isWhole || ![all[index - 1], all[index]].some((one) => one === "--keep" || one === "--stack"),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE, MAIN, ...replay], {
    encoding: "utf8",
  });
  if (status === 0) return null;
  return stdout || stderr;
}

/** The arguments that a replay line gives, as a shell would read them. */
function argumentsOf(line: string): string[] {
  const text = line.slice(line.indexOf("replay: pnpm sim ") + "replay: pnpm sim ".length);
  return [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
}

/** Keeps what found a defect for the test that runs it again. */
function keepRun({ name, kinds }: Mutant, line: string): void {
  const { values } = parseArgs({
    args: argumentsOf(line),
    options: {
      seed: { type: "string", default: "" },
      version: { type: "string" },
      kinds: { type: "string" },
      keep: { type: "string", default: "" },
      stack: { type: "string", default: "" },
    },
  });
  const { seed, keep, stack } = values;
  record(
    name,
    { seed: Number(seed), keep, stack },
    NAMED_KINDS.filter((kind) => kinds.includes(kind.name)),
  );
}

/** What the recorded run of a defect finds in a process in which it is planted. */
export function findingsWith(name: string): readonly string[] {
  const register = new URL("register.ts", import.meta.url).href;
  const script = fileURLToPath(new URL("replay-recorded.ts", import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, [...NODE, "--import", register, script, name], {
    encoding: "utf8",
    env: { ...process.env, CEV_MUTANT: name },
  });
  if (!stdout.startsWith("["))
    throw new Error(`the recorded run of ${name} did not run: ${stderr || stdout}`);
  return JSON.parse(stdout) as readonly string[];
}

/** How defects are looked for. */
export interface MutantSearch {
  readonly seed: number;
  /** So long for each of them at most, of a processor: how busy the machine is does not count. */
  readonly minutes: number;
  /** What finds one is kept in `recorded.json`. */
  readonly isRecording: boolean;
}

/** Looks for one after the other, and prints how long that took. Returns the exit status. */
export function runMutants(mutants: readonly Mutant[], { seed, minutes, isRecording }: MutantSearch): number {
  let missedCount = 0;
  for (const mutant of mutants) {
    const { seconds, processorSeconds, stepCount, line } = searchMutant(mutant, seed, minutes);
    // What is wrong without it, too, is another defect.
    const other = line === null ? null : (foundUnaltered(line, false) ?? foundUnaltered(line, true));
    const isFound = line !== null && other === null;
    if (!isFound) missedCount++;
    else if (isRecording) keepRun(mutant, line);
    const verdict = isFound ? "found" : line === null ? "NOT FOUND" : "SOMETHING ELSE FOUND";
    console.log(
      `${mutant.name} (${mutant.what}): ${verdict} after ${seconds.toFixed(1)} s, ` +
        `${processorSeconds.toFixed(1)} s of a processor, ${stepCount} steps`,
    );
    if (line !== null) console.log(`  ${line}`);
    if (other !== null) console.log(`  without the defect: ${other.trim()}`);
  }
  return missedCount === 0 ? 0 : 1;
}

// No search from one seed comes as far as the next one.
const SEED_STRIDE = 1_000_000;

/** Looks for each from so many seeds, far from one another, and prints how long that took from each of them. Returns the exit status. */
export function runMutantSeeds(
  mutants: readonly Mutant[],
  { seed, minutes, seedCount }: Omit<MutantSearch, "isRecording"> & { readonly seedCount: number },
): number {
  let missedCount = 0;
  console.log("| defect | found | median s | longest s | seconds of a processor from each seed |");
  console.log("| ------ | ----: | -------: | --------: | ------------------------------------- |");
  for (const mutant of mutants) {
    const taken = Array.from({ length: seedCount }, (_, index) => {
      const { line, processorSeconds } = searchMutant(mutant, seed + index * SEED_STRIDE, minutes);
      return line === null ? Infinity : processorSeconds;
    });
    const foundCount = taken.filter((seconds) => seconds < Infinity).length;
    missedCount += seedCount - foundCount;
    const sorted = taken.toSorted((a, b) => a - b);
    const cells = [sorted[Math.floor((seedCount - 1) / 2)]!, sorted.at(-1)!, ...taken].map(secondsText);
    const [median, longest, ...each] = cells;
    console.log(
      `| ${mutant.name} | ${foundCount} of ${seedCount} | ${median} | ${longest} | ${each.join(" ")} |`,
    );
  }
  return missedCount === 0 ? 0 : 1;
}

function secondsText(seconds: number): string {
  return seconds === Infinity ? "-" : seconds.toFixed(1);
}
