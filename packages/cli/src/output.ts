import { formatError } from "@cev/core";
import type { Problem } from "@cev/core";
import type { StackDevice } from "@cev/stack";
import { hostError } from "./host-error.ts";
import { plain } from "./plain-text.ts";

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line to standard error that is no complaint: standard output is for something else. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Writes one line about an error or a warning to standard error. Names in it may be somebody else's. */
export function complain(line: string): void {
  process.stderr.write(`cev: ${plain(line.replaceAll(/\s*\n\s*/g, " "))}\n`);
}

/** A warning: what was to be copied there is there in part, over what was there before. */
export const notWhole = (name: string): string =>
  `warning: ${name} is not whole: part of it was overwritten before the copy ended`;

/** Tells of problems. */
export function complainOf(problems: readonly Problem[]): void {
  for (const { severity, message } of problems)
    complain(severity === "error" ? message : `warning: ${message}`);
}

/**
 * Warns of problems that did not stop the work on some devices, but not of those that are `isIdle` for these. An image that is wanted as it is may well carry nothing that
 * is known; and how other volumes of a group are is nobody's concern who wants one of them. Returns what it warned of.
 */
export function warnOf(
  { problems, devices }: Warned,
  wanted: readonly string[],
  isIdle: (problem: Problem) => boolean = () => false,
): readonly Problem[] {
  const needed = new Set(devices.filter(({ name }) => wanted.includes(name)).flatMap(withLowers));
  const isOther = (device: string): boolean =>
    needed.size > 0 &&
    devices.some((one) => one.name === device && one.driver === VOLUME_DRIVER && !needed.has(one));
  const told = problems.filter((problem) => {
    const { code, device } = problem;
    const isWanted = device !== undefined && wanted.includes(device);
    const isExpected = isWanted && (code === "CEV_NOT_FOUND" || isIdle(problem));
    return !isExpected && (device === undefined || !isOther(device));
  });
  for (const { message } of told) complain(`warning: ${message}`);
  return told;
}

/** What is warned of: a stack. */
interface Warned {
  readonly problems: readonly Problem[];
  readonly devices: readonly StackDevice[];
}

/** Its devices are volumes that have nothing to do with one another. */
const VOLUME_DRIVER = "@cev/lvm";

const withLowers = (device: StackDevice): StackDevice[] => [device, ...device.lowers.flatMap(withLowers)];

/** Tells of whatever was thrown, in one line; with `CEV_DEBUG` set also where. */
export function complainOfError(error: unknown): void {
  complain(formatError(error));
  debug(error);
}

/** With `CEV_DEBUG` set: where an error was thrown, and those that it came of. */
export function debug(error: unknown): void {
  if ((process.env["CEV_DEBUG"] ?? "") === "") return;
  const told = new Set<unknown>();
  for (let at = error; at instanceof Error && !told.has(at); at = at.cause) {
    const stack = (at.stack ?? at.message).split("\n").map(plain).join("\n");
    process.stderr.write(`${told.size === 0 ? "" : "caused by: "}${stack}\n`);
    told.add(at);
  }
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
