import { Option } from "commander";
import type { Command } from "commander";
import type { ExitStatus } from "../exit-status.ts";

/** What the tree of commands is built with. */
export interface RaidProgramParts {
  /** Told how a command ended. */
  readonly ended: (status: ExitStatus) => void;
  /** Makes a subcommand whose errors are told in one place. */
  readonly subcommand: (parent: Command, name: string) => Command;
  readonly withKeys: (command: Command) => Command;
}

/** For members of several arrays. */
export function withChoice(command: Command): Command {
  return command
    .option("--uuid <uuid>", "the array of this UUID, where members of several are given")
    .option("--name <name>", "the array of this name, with or without the host");
}

/** For an array that another process serves. */
export function withServed(command: Command): Command {
  return command.option(
    "--array <path>",
    "the control socket of an array that is served, instead of members",
  );
}

/** For work that goes on there. */
export function withWaiting(command: Command): Command {
  return withServed(command).addOption(
    new Option("--no-wait", "with --array: come back at once, the work goes on there"),
  );
}
