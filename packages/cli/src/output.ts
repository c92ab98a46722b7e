import { formatError } from "@cev/core";
import type { Problem } from "@cev/core";

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line about an error or a warning to standard error. */
export function complain(line: string): void {
  process.stderr.write(`cev: ${line.replaceAll(/\s*\n\s*/g, " ")}\n`);
}

/** Tells of problems; those that did not stop the work asked for are warnings. */
export function complainOf(problems: readonly Problem[], options: { readonly isStopped: boolean }): void {
  for (const { severity, message } of problems) {
    complain(options.isStopped && severity === "error" ? message : `warning: ${message}`);
  }
}

/** Tells of whatever was thrown, in one line; with `CEV_DEBUG` set also where it was thrown. */
export function complainOfError(error: unknown): void {
  complain(formatError(error));
  const isDebugging = (process.env["CEV_DEBUG"] ?? "") !== "";
  if (isDebugging && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
}

/** A reader that goes away (`cev inspect … | head -1`) has seen what it wanted: that is no error of ours. */
export function outliveReaders(): void {
  const ignore = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
  };
  process.stdout.on("error", ignore);
  process.stderr.on("error", ignore);
}
