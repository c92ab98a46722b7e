import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { numberOf } from "../../../scripts/command-line.ts";
import { byChance } from "./by-chance.ts";

export const TEXT = { type: "string" } as const;
export const FLAG = { type: "boolean", default: false } as const;

/** What every matrix takes, for `parseArgs`. */
export const COMMON_OPTIONS = {
  sample: TEXT,
  seed: { type: "string", default: "1" },
  jobs: { type: "string", default: `${availableParallelism()}` },
  case: TEXT,
  failures: TEXT,
  keep: FLAG,
  list: FLAG,
  help: FLAG,
} as const;

/** The lines of the help about the last of them. */
export const COMMON_HELP = `  --failures FILE   where failures go, with all that is needed to run one again
  --keep            keep images and logs, in a folder of the current one
  --help            show this`;

/** Of these, what every matrix reads alike. */
export interface CommonOptions {
  readonly seed: number;
  readonly jobs: number;
  readonly isKept: boolean;
  readonly isList: boolean;
  readonly failuresFile: string;
}

interface CommonValues {
  readonly seed: string;
  readonly jobs: string;
  readonly failures?: string | undefined;
  readonly keep: boolean;
  readonly list: boolean;
}

/** `command`: what the file of failures is called after. Throws for what makes no sense. */
export function readCommon(command: string, values: CommonValues): CommonOptions {
  return {
    seed: numberOf("seed", values.seed),
    jobs: numberOf("jobs", values.jobs, 1),
    isKept: values.keep,
    isList: values.list,
    failuresFile: values.failures ?? join(tmpdir(), `${command}-failures-${process.pid}.txt`),
  };
}

/** True for a value of a list with commas; without a list for every one. */
export function isWanted(list: string | undefined, value: string): boolean {
  return list === undefined || list.split(",").includes(value);
}

/** So many of these, as the seed decides; without a number all of them. */
export function sampleOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  sample: string | undefined,
  seed: number,
): readonly T[] {
  return sample === undefined ? items : byChance(items, nameOf, seed).slice(0, numberOf("sample", sample));
}
