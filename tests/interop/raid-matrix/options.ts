import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { numberOf } from "../../../scripts/command-line.ts";
import { COMMON_HELP, COMMON_OPTIONS, TEXT, isWanted, readCommon } from "../matrix/options.ts";
import type { CommonOptions } from "../matrix/options.ts";
import { allArrays, levelTitle, sampleArrays } from "./cases.ts";
import type { ArrayCase } from "./cases.ts";
import { WAYS } from "./verdict.ts";
import type { Way } from "./verdict.ts";

export const HELP = `The interop matrix: RAID arrays exchanged with the Linux kernel.

  --level LIST      linear, 0, 1, 4, 5, 6, 10 (all)
  --layout LIST     as mdadm calls them; n2, f3, o2; equal, unequal; - where a level has one only (all)
  --metadata LIST   superblock versions 0.90, 1.0, 1.1, 1.2 (all)
  --members LIST    how many members (2,3,4,5,6)
  --chunk LIST      KiB: 4, 64, 512 (all)
  --missing LIST    just this set of missing members, counted from 0; "none" (all sets that the level survives)
  --way LIST        read: made by the kernel, read by cev; create: made and written by cev, judged by the kernel;
                    write: made by the kernel, written by cev, judged by the kernel (all)
  --sample N        so many arrays only, of all levels and layouts in turn
  --sets N          for the way create, so many sets of missing members per array only (write has one, chosen by the seed)
  --seed S          decides what is sampled and written (1)
  --jobs N          kernels at once (${availableParallelism()})
  --case ID         one array, as --list names it, with what is missing: raid6/ddf-N-restart/1.2/5x64K-0,3
  --list            say which cases there are
${COMMON_HELP}

Examples:
  pnpm raid-matrix --sample 20 --seed 7
  pnpm raid-matrix --level 6 --way write --members 5
  pnpm raid-matrix --case raid6/ddf-N-restart/1.2/5x64K-0,3 --keep`;

/** What the command line asks for. */
export interface MatrixOptions extends CommonOptions {
  readonly arrays: readonly ArrayCase[];
  readonly ways: readonly Way[];
  readonly missing: readonly number[] | null;
  readonly setsMax: number;
}

/** Null where help is asked for. Throws for what makes no sense. */
export function readOptions(args: readonly string[]): MatrixOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      level: TEXT,
      layout: TEXT,
      metadata: TEXT,
      members: TEXT,
      chunk: TEXT,
      missing: TEXT,
      way: TEXT,
      sets: TEXT,
      ...COMMON_OPTIONS,
    },
  });
  if (values.help) return null;
  const [, wantedId, wantedMissing] = /^(.*\/[^/-]+)(?:-([\d,]+))?$/.exec(values.case ?? "") ?? [];
  const chosen = allArrays().filter(
    ({ id, level, layout, version, memberCount, chunk }) =>
      (isWanted(values.level, level) || isWanted(values.level, levelTitle(level))) &&
      isWanted(values.layout, layout) &&
      isWanted(values.metadata, version) &&
      isWanted(values.members, `${memberCount}`) &&
      (chunk === 0 || isWanted(values.chunk, `${chunk}`)) &&
      (wantedId === undefined || id === wantedId),
  );
  if (chosen.length === 0) throw new Error("no array of the matrix is like this");
  const common = readCommon("raid-matrix", values);
  const { seed } = common;
  const missing = wantedMissing ?? (values.case === undefined ? values.missing : "none");
  return {
    arrays:
      values.sample === undefined ? chosen : sampleArrays(chosen, numberOf("sample", values.sample), seed),
    ways: WAYS.filter((way) => isWanted(values.way, way)),
    missing: missing === undefined ? null : missing === "none" ? [] : missing.split(",").map(Number),
    setsMax: values.sets === undefined ? Number.MAX_SAFE_INTEGER : numberOf("sets", values.sets),
    ...common,
  };
}
