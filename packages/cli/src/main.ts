import { formatError, isCevError } from "@cev/core";
import type { Problem } from "@cev/core";
import { CommanderError } from "commander";
import type { Command } from "commander";
import { ExitStatus } from "./exit-status.ts";
import { inspectionJson } from "./inspect.ts";
import { complain, complainOfError, outliveReaders, say } from "./output.ts";
import { buildProgram } from "./program.ts";
import { UsageError } from "./usage-error.ts";

/** Runs the command with its arguments, and tells the exit status: 0 done, 1 failed, 2 called the wrong way. */
export async function main(args: readonly string[]): Promise<ExitStatus> {
  outliveReaders();
  let status: ExitStatus = ExitStatus.done;
  const program = buildProgram((ended) => (status = ended));
  try {
    refuseUnknownHelp(program, args);
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    return answerError(error, args);
  }
}

/** Help is asked for a command that there is not: that of the command above would read as if there were. */
function refuseUnknownHelp(program: Command, args: readonly string[]): void {
  if (!["--help", "-h", "help"].some((word) => args.includes(word))) return;
  let command = program;
  for (const word of args) {
    if (word.startsWith("-") || command.commands.length === 0) return;
    if (word === "help") continue;
    const found = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (found === undefined) {
      const known = command
        .createHelp()
        .visibleCommands(command)
        .map((one) => one.name());
      throw new UsageError(`unknown command '${word}': there are ${known.join(", ")}`);
    }
    command = found;
  }
}

function answerError(error: unknown, args: readonly string[]): ExitStatus {
  if (error instanceof CommanderError && error.exitCode === 0) return ExitStatus.done;
  // Called with nothing at all: the help was printed in place of an error.
  if (error instanceof CommanderError && error.code === "commander.help") return ExitStatus.usage;
  const isUsage = error instanceof CommanderError || error instanceof UsageError;
  const line = isUsage ? usageLine(error, args) : formatError(error);
  if (args.includes("--json")) {
    const code = isCevError(error) ? error.code : isUsage ? "CEV_INVALID" : "CEV_PROGRAM";
    const problem: Problem = { severity: "error", code, message: line };
    if (args[0] === "inspect") say(inspectionJson([], [problem]));
    else say(JSON.stringify({ problems: [problem] }, null, 2));
  }
  if (isUsage) complain(line);
  else complainOfError(error);
  return isUsage ? ExitStatus.usage : ExitStatus.failed;
}

function usageLine(error: Error, args: readonly string[]): string {
  const help = `${["cev", ...commandWords(args)].join(" ")} --help`;
  const message = withoutWords(error.message.replace(/^error: /, ""));
  return `${message.replace(/\.?\s*$/, "")}; see ${help}`;
}

/** What stands behind an option that is not known, or where nothing more is expected, may be a secret: it is not repeated. */
function withoutWords(message: string): string {
  return message
    .replace(/^(unknown option '(?:--[^'=]*|-[^-'])).*'/s, "$1'")
    .replace(/^(too many arguments.* but got \d+).*$/s, "$1");
}

/** The words that name a command: "raid examine". */
function commandWords(args: readonly string[]): string[] {
  const program = buildProgram(() => undefined);
  const command = program.commands.find((one) => args.includes(one.name()));
  if (command === undefined) return [];
  const rest = args.slice(args.indexOf(command.name()) + 1);
  const inner = command.commands.find((one) => one.name() === rest[0]);
  return [command.name(), ...(inner === undefined ? [] : [inner.name()])];
}
