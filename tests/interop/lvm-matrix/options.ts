import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { numberOf } from "../../../scripts/command-line.ts";
import { COMMON_HELP, COMMON_OPTIONS, TEXT, isWanted, readCommon, sampleOf } from "../matrix/options.ts";
import type { CommonOptions } from "../matrix/options.ts";
import { SCENES } from "./crash/scenes.ts";
import type { Scene } from "./crash/scenes.ts";
import { SHAPES } from "./shapes.ts";
import type { GroupShape } from "./shapes.ts";
import { WAYS } from "./verdict.ts";
import type { Way } from "./verdict.ts";

export const HELP = `The interop matrix of LVM2: volume groups exchanged with the Linux kernel.

  --shape LIST      groups by name (all)
  --way LIST        read: made by the kernel, read by cev, with each physical volume missing; write: made by the kernel,
                    written by cev, judged by the kernel; change: golden sets changed by cev's commands, judged by
                    the kernel; command: made and changed by cev, judged and changed by LVM2,
                    read by cev; hostile: golden sets with every byte of their metadata flipped, and words changed;
                    crash: cev's commands with a power cut before every change (all)
  --sample N        so many groups only
  --sequences N     for the way command, so many sequences of commands (8)
  --length N        for the way command, so many commands in each (50)
  --seed S          decides what is sampled, written and commanded (1)
  --jobs N          kernels at once (${availableParallelism()})
  --case ID         one case as failures name it: raid5_ls-1 is that group without physical volume 1,
                    sequence-3 that sequence of commands, lvcreate_linear that command under power cuts
  --list            say which groups there are
${COMMON_HELP}

Examples:
  pnpm lvm-matrix --sample 10 --seed 7
  pnpm lvm-matrix --way crash
  pnpm lvm-matrix --way command --sequences 2 --length 20
  pnpm lvm-matrix --case raid5_ls-1 --keep`;

/** What the command line asks for. */
export interface MatrixOptions extends CommonOptions {
  readonly shapes: readonly GroupShape[];
  readonly ways: readonly Way[];
  readonly missing: number | null | undefined;
  readonly sequences: readonly number[];
  readonly sequenceLength: number;
  readonly scenes: readonly Scene[];
}

/** Null where help is asked for. Throws for what makes no sense. */
export function readOptions(args: readonly string[]): MatrixOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shape: TEXT,
      way: TEXT,
      sequences: { type: "string", default: "8" },
      length: { type: "string", default: "50" },
      ...COMMON_OPTIONS,
    },
  });
  if (values.help) return null;
  const [, wantedShape, wantedMissing] = /^([^-]+)(?:-(\d+))?$/.exec(values.case ?? "") ?? [];
  if (values.case !== undefined && wantedShape === undefined)
    throw new Error(`--case: no such case: ${values.case}`);
  const chosen = SHAPES.filter(
    ({ name }) => isWanted(values.shape, name) && (wantedShape === undefined || name === wantedShape),
  );
  const scenes = SCENES.filter(
    ({ name }) => values.case === undefined || name.replaceAll(" ", "_") === values.case,
  );
  if (chosen.length === 0 && scenes.length === 0 && wantedShape !== "sequence")
    throw new Error("no group of the matrix is like this");
  const common = readCommon("lvm-matrix", values);
  const { seed } = common;
  return {
    shapes: sampleOf(chosen, ({ name }) => name, values.sample, seed),
    ways: WAYS.filter((way) => isWanted(values.way, way)),
    missing:
      values.case === undefined ? undefined : wantedMissing === undefined ? null : Number(wantedMissing),
    sequences:
      wantedShape === "sequence"
        ? [Number(wantedMissing)]
        : Array.from({ length: numberOf("sequences", values.sequences) }, (_, index) => index),
    sequenceLength: numberOf("length", values.length),
    scenes,
    ...common,
  };
}
