/** What is asked of the simulator on its command line. */
import { parseArgs } from "node:util";
import { parseKeep, parseStack } from "@cev/test-kit";
import type { Keep, Step } from "@cev/test-kit";
import { NAMED_KINDS } from "./kinds/index.ts";
import { MUTANTS } from "./mutants/table.ts";

export const HELP = `sim: random stacks of all layers, random work, faults and power cuts, checked against a model
  --seed S        the first run has this seed, the next one S + 1 (default: the time)
  --steps N       so many steps at least (default 100000)
  --minutes M     as long as this, instead
  --kinds A,B     only these kinds of layers: ${NAMED_KINDS.map(({ name }) => name).join(", ")}
  --jobs N        processes beside one another, with every N-th seed each (default 1)
  --failures N    so many failures before one of them ends (default 1)
  --version V     the one run of this seed again, as a replay line says
  --keep 0,4:1.2   only these steps of it, and of a step only these requests
  --stack TEXT    on another stack than the one of the seed
  --any-version   also where the version is another one: then the seed means something else
  --mutants       plants each known defect and looks for it, --minutes of a processor at most (default 1)
  --mutant NAME   this one: ${MUTANTS.map(({ name }) => name).join(", ")}
  --seeds N       with them: from so many seeds each, and how long that took
  --record        with them: keeps what finds each for the test that runs it again
  --json          the result as JSON`;

const OPTIONS = {
  seed: { type: "string", default: String(Date.now() % 1_000_000) },
  steps: { type: "string", default: "100000" },
  minutes: { type: "string" },
  kinds: { type: "string" },
  failures: { type: "string", default: "1" },
  version: { type: "string" },
  keep: { type: "string" },
  stack: { type: "string" },
  jobs: { type: "string", default: "1" },
  // Of the processes that do the work: how many there are.
  worker: { type: "string" },
  "any-version": { type: "boolean", default: false },
  mutants: { type: "boolean", default: false },
  mutant: { type: "string" },
  seeds: { type: "string" },
  // Of the processes that look for a planted defect: minutes are those of a processor.
  "of-processor": { type: "boolean", default: false },
  record: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

export type Values = ReturnType<typeof parsed>;

/** The values of all options, each checked; or what is wrong, in words. */
export function argumentsOf(given: readonly string[]): Values | string {
  let values: Values;
  try {
    values = parsed(given);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return issueOf(values) ?? values;
}

/** The first step or request of `keep` that a script does not have, in words; null: it has all. */
export function notIn(script: readonly Step[], keep: Keep): string | null {
  for (const [index, requests] of keep) {
    const step = script[index];
    if (step === undefined) return `step ${index}: it has ${script.length}, the first is 0`;
    const count = "requests" in step ? step.requests.length : 0;
    const missing = requests?.find((request) => request >= count);
    if (missing !== undefined) return `request ${missing} in step ${index}: that has ${count}`;
  }
  return null;
}

function parsed(given: readonly string[]) {
  return parseArgs({ args: given.filter((argument) => argument !== "--"), options: OPTIONS }).values;
}

function issueOf(values: Values): string | null {
  const { seed, seeds, steps, minutes, failures, jobs, kinds, mutant, keep, stack } = values;
  const isCount = (text: string): boolean => /^[1-9]\d{0,14}$/.test(text);
  if (!/^\d{1,15}$/.test(seed)) return `--seed ${seed} is no whole number of at most 15 digits`;
  if (!isCount(steps)) return `--steps ${steps} is no whole number above 0`;
  if (minutes !== undefined && !(Number(minutes) > 0 && Number(minutes) < 1e6))
    return `--minutes ${minutes} is no number above 0`;
  if (!isCount(failures)) return `--failures ${failures} is no whole number above 0`;
  if (!/^[1-9]\d?$/.test(jobs)) return `--jobs ${jobs} is no number of processes from 1 to 99`;
  if (seeds !== undefined && !/^[1-9]\d?$/.test(seeds))
    return `--seeds ${seeds} is no number of seeds from 1 to 99`;
  const unknown = kinds?.split(",").find((name) => !NAMED_KINDS.some((kind) => kind.name === name));
  if (unknown !== undefined) return `--kinds: there is no kind "${unknown}"`;
  if (mutant !== undefined && !MUTANTS.some(({ name }) => name === mutant))
    return `--mutant: there is no defect "${mutant}"`;
  if (keep !== undefined && parseKeep(keep) === null) return `--keep ${keep} is not written like 0,3-5,7:1.2`;
  if (stack !== undefined && parseStack(stack) === null)
    return `--stack ${stack} is not written as a replay line has it (in quotation marks?)`;
  return null;
}
