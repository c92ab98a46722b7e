import { formatError } from "@cev/core";
import type { Problem } from "@cev/core";
import { hostError } from "./host-error.ts";

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line about an error or a warning to standard error. */
export function complain(line: string): void {
  process.stderr.write(`cev: ${line.replaceAll(/\s*\n\s*/g, " ")}\n`);
}

/** Tells of problems. */
export function complainOf(problems: readonly Problem[]): void {
  for (const { severity, message } of problems)
    complain(severity === "error" ? message : `warning: ${message}`);
}

/**
 * Warns of problems that did not stop the work on some devices. An image that is wanted as it is may well carry nothing that
 * is known.
 */
export function warnOf(problems: readonly Problem[], wanted: readonly string[]): void {
  for (const { code, message, device } of problems) {
    const isExpected = code === "CEV_NOT_FOUND" && device !== undefined && wanted.includes(device);
    if (!isExpected) complain(`warning: ${message}`);
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
  // Whoever calls the command from a program may do so more than once.
  process.stdout.off("error", onOutputError).on("error", onOutputError);
  process.stderr.off("error", onErrorOutputError).on("error", onErrorOutputError);
}

function onOutputError(error: NodeJS.ErrnoException): void {
  throwUnlessGone("standard output", error);
}

function onErrorOutputError(error: NodeJS.ErrnoException): void {
  throwUnlessGone("standard error", error);
}

function throwUnlessGone(source: string, error: NodeJS.ErrnoException): void {
  // EIO: the terminal is gone.
  if (error.code !== "EPIPE" && error.code !== "EIO") throw hostError(source, error);
}
