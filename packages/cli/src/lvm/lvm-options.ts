import type { Command } from "commander";
import type { ExitStatus } from "../exit-status.ts";

/** What the tree of commands is built with. */
export interface LvmProgramParts {
  /** Told how a command ended. */
  readonly ended: (status: ExitStatus) => void;
  /** Makes a subcommand whose errors are told in one place. */
  readonly subcommand: (parent: Command, name: string) => Command;
  readonly withKeys: (command: Command) => Command;
}

/** Where to look: LVM2's own option. */
export function withDevices(command: Command): Command {
  return command.option(
    "--devices <device...>",
    "where to look: image files, partitions in them, or a stack file",
  );
}
