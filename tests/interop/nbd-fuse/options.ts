import { parseArgs } from "node:util";
import { numberOf, oneOf } from "../../../scripts/command-line.ts";

export const STACKS = ["file", "luks-on-raid"] as const;
export type StackName = (typeof STACKS)[number];

export interface FuseOptions {
  /** Operations of each run of fsx. */
  readonly ops: number;
  readonly seed: number;
  readonly stacks: readonly StackName[];
  /** The program, by its path or name. */
  readonly fsx: string;
}

export const USAGE = `usage: pnpm run nbd-fuse [OPTION]...

Serves a disk, shows it as a file with nbdfuse and as a block device with losetup, and lets the kernel make ext4 on it, mount it,
and bear fsx: first through the page cache and mapped memory, then directly. Afterwards e2fsck judges the file system, on the loop
device and once more on what cev reads from the images. Needs root, /dev/fuse, loop devices, nbdfuse, and fsx (of xfstests, built).

  --ops N        operations of each run of fsx (default: 3000)
  --seed S       of fsx (default: by chance)
  --stack NAME   ${STACKS.join(", ")} (may be repeated; default: all)
  --fsx PROGRAM  fsx (default: the one in the PATH, or where xfstests is installed)

Examples:
  pnpm nbd-fuse --stack luks-on-raid --ops 10000
  pnpm nbd-fuse --fsx ~/xfstests/ltp/fsx --seed 7

Exit status: 0 nothing is wrong, 1 something is, 3 something that it needs is not there.
`;

/** Throws an Error that says which option is wrong; null: help was asked for. */
export function parseOptions(args: readonly string[]): FuseOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ops: { type: "string", default: "3000" },
      seed: { type: "string" },
      stack: { type: "string", multiple: true },
      fsx: { type: "string", default: "fsx" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    ops: numberOf("ops", values.ops, 1),
    // fsx takes 0 for the time of day.
    seed:
      values.seed === undefined ? 1 + Math.floor(Math.random() * 2 ** 30) : numberOf("seed", values.seed, 1),
    stacks: (values.stack ?? STACKS).map((name) => oneOf("stack", STACKS, name)),
    fsx: values.fsx,
  };
}
