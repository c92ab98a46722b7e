import { parseArgs } from "node:util";
import { numberOf } from "../../../scripts/command-line.ts";

export interface FaultOptions {
  /** How long each case goes on whose length is free. */
  readonly seconds: number;
  readonly seed: number;
  /** Runs only cases whose name has this in it. */
  readonly only: string;
  readonly isList: boolean;
}

export const USAGE = `usage: pnpm run nbd-faults [OPTION]...

Breaks an NBD server, the line to it and its disk under a load that is checked, and tells whether our client lost anything.

  --seconds N   how long each case goes on whose length is free (default: 60); a disk that hangs does so for a minute anyway
  --seed N      repeats what was done by chance (default: a new one, which is printed)
  --only TEXT   only cases with TEXT in their name
  --list        names the cases
  --help        prints this

Examples:
  pnpm nbd-faults --list
  pnpm nbd-faults --only kill --seconds 20
`;

/** Throws an Error that says which option is wrong; null: help was asked for. */
export function parseOptions(args: readonly string[]): FaultOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      only: { type: "string", default: "" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    seconds: numberOf("seconds", values.seconds),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : numberOf("seed", values.seed),
    only: values.only,
    isList: values.list,
  };
}
