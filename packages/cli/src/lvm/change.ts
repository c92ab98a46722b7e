import { hostname } from "node:os";
import { join } from "node:path";
import { CevError, formatError } from "@cev/core";
import type { Problem } from "@cev/core";
import { runCommand } from "@cev/lvm";
import type { ArchivedText, CommandContext, CommandProgress, CommandRequest, CommandResult } from "@cev/lvm";
import { mergeSnapshot } from "@cev/snapshot";
import { closing } from "../closing.ts";
import { ExitStatus } from "../exit-status.ts";
import { hostError } from "../host-error.ts";
import { Interrupt } from "../interrupt.ts";
import { complain, complainOf, say } from "../output.ts";
import { Progress } from "../progress.ts";
import type { KeyOptions } from "../sources.ts";
import { archiveFolder, archiveText, saveText } from "./archive.ts";
import { sourcesOf } from "./arguments.ts";
import { recordNamed } from "./device-names.ts";
import { findVolumes, isCalled, unusedAmong } from "./find-groups.ts";
import type { FoundVolumes } from "./find-groups.ts";
import { absentAmong, makeImages, removeImages } from "./make-images.ts";
import { checkOccupied, namesForChange, openForChange, wipe } from "./open-for-change.ts";
import { parseSize } from "./size-option.ts";

/** Options of every command that changes something. */
export interface ChangeOptions extends KeyOptions {
  readonly devices?: readonly string[] | undefined;
  readonly test?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress?: boolean;
  readonly archive?: string;
  readonly autobackup?: string;
  readonly degraded?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly makeImages?: string;
}

/** What a command is to do, and on which devices. */
export interface Change {
  /** Groups whose physical volumes are needed, by name or UUID; null: those of the only group. */
  readonly groups: readonly string[] | null | ((found: FoundVolumes) => readonly string[]);
  /** Words that name devices. */
  readonly devices: readonly string[];
  /** Devices among them that are to become physical volumes: they must carry nothing else. */
  readonly areNew?: boolean;
  /** Further files to look into, of which no device is needed by itself. */
  readonly sources?: readonly string[];
  /** All physical volumes that are found are needed. */
  readonly areAllPvs?: boolean;
  /** Names of further devices that are needed. */
  readonly further?: (found: FoundVolumes) => readonly string[];
  /** Nothing is written, whatever the options say. */
  readonly isLooking?: boolean;
  /** What to ask for, in this order. `nameOf`: what a device is called, by the word that means it. */
  readonly requests: (nameOf: (word: string) => string, found: FoundVolumes) => readonly CommandRequest[];
}

/** What came of a command. */
export interface ChangeOutcome {
  readonly results: readonly CommandResult[];
  /** Where the replaced texts were saved. */
  readonly archived: readonly string[];
  readonly problems: readonly Problem[];
}

/** Has something changed, and tells what came of it. */
export async function change(options: ChangeOptions, plan: Change): Promise<ExitStatus> {
  tell(await perform(options, plan), options);
  return ExitStatus.done;
}

/** Finds the devices, opens those that are needed, and runs the commands one after the other. */
export async function perform(options: ChangeOptions, plan: Change): Promise<ChangeOutcome> {
  const isDryRun = options.test === true || options.dryRun === true;
  const isForced = options.force === true;
  const { makeImages: imageSize } = options;
  const canMake = plan.areNew === true && imageSize !== undefined;
  const absent = plan.areNew === true ? absentAmong(plan.devices, canMake) : [];
  const size = canMake ? parseSize(imageSize, "--make-images") : 0;
  if (!isDryRun) await makeImages(absent, size);
  try {
    const present = isDryRun ? plan.devices.filter((path) => !absent.includes(path)) : plan.devices;
    const imagined = isDryRun ? absent.map((path) => ({ path, size })) : [];
    const known = [...(options.devices ?? []), ...present, ...(plan.sources ?? [])].length;
    const sources =
      known === 0 && imagined.length > 0
        ? []
        : sourcesOf(options.devices, [...present, ...(plan.sources ?? [])]);
    const found = await findVolumes(sources, options);
    const work = await prepare(found, plan, present, imagined, isForced).catch(async (error: unknown) => {
      await found.stack.close().catch(() => undefined);
      throw error;
    });
    const isReadOnly = isDryRun || plan.isLooking === true;
    const { stack, devices } = await openForChange(found, {
      ...options,
      sources,
      names: work.names,
      imagined,
      isReadOnly,
      canWriteDegraded: options.degraded === true,
    });
    const problems = found.deviceProblems
      .filter(({ device }) => device === undefined || !work.names.includes(device))
      .map((one) => ({ ...one, severity: "warning" as const }));
    return await closing(stack, async () => {
      if (!isReadOnly)
        for (const device of devices) if (work.occupied.includes(device.name)) await wipe(device);
      return await run({
        options,
        requests: work.requests,
        unused: work.unused,
        devices,
        isDryRun,
        problems,
        stack,
      });
    });
  } catch (error) {
    if (!isDryRun) await removeImages(absent);
    throw error;
  }
}

async function prepare(
  found: FoundVolumes,
  plan: Change,
  present: readonly string[],
  imagined: readonly { readonly path: string; readonly size: number }[],
  isForced: boolean,
): Promise<{
  names: readonly string[];
  occupied: readonly string[];
  requests: readonly CommandRequest[];
  unused: ReadonlySet<string>;
}> {
  const groups = typeof plan.groups === "function" ? plan.groups(found) : plan.groups;
  const isHere = (name: string): boolean => found.groups.some((group) => isCalled(group, name));
  // To restore a group, it need not be readable; nor need others that the command is not about.
  if (found.failure !== null && plan.areAllPvs !== true && groups?.every(isHere) !== true)
    throw found.failure;
  const names = namesForChange(found, {
    groups,
    named: [
      ...present,
      ...(plan.areAllPvs === true ? found.devices.map(({ name }) => name) : []),
      ...(plan.further?.(found) ?? []),
    ],
    imagined,
  });
  const occupied = plan.areNew === true ? await checkOccupied(found, present, isForced) : [];
  const nameOf = (word: string): string =>
    imagined.some(({ path }) => path === word) ? word : recordNamed(found.stack, word).name;
  const requests = plan.requests(nameOf, found);
  return { names, occupied, requests, unused: unusedAmong(found) };
}

interface Run {
  readonly options: ChangeOptions;
  readonly requests: readonly CommandRequest[];
  /** Devices that belong to no group, and need not. */
  readonly unused: ReadonlySet<string>;
  readonly devices: CommandContext["devices"];
  readonly isDryRun: boolean;
  readonly problems: Problem[];
  readonly stack: { readonly environment: CommandContext["environment"] };
}

async function run({
  options,
  requests,
  unused,
  devices,
  isDryRun,
  problems,
  stack,
}: Run): Promise<ChangeOutcome> {
  using interrupt = new Interrupt();
  using bars = new WorkBars(options.progress === true);
  const archivedPaths: string[] = [];
  const told = new Set(problems.map(({ message }) => message));
  const folder = options.archive ?? archiveFolder("archive");
  const context: CommandContext = {
    environment: stack.environment,
    devices,
    hostname: hostname(),
    isDryRun,
    signal: interrupt.signal,
    report: (problem) => {
      if (told.has(problem.message) || unused.has(problem.device ?? "")) return;
      told.add(problem.message);
      problems.push({ ...problem, severity: "warning" });
    },
    progress: (progress) => bars.update(progress),
    mergeStore: mergeSnapshot,
    archive: async ({ group, text }: ArchivedText) => {
      if (options.autobackup !== "n") archivedPaths.push(await archiveText(folder, group, text));
    },
  };
  const results: CommandResult[] = [];
  for (const request of requests) {
    try {
      const result = await runCommand(context, request);
      results.push(result);
      if (!isDryRun && options.autobackup !== "n") await backUp(result, problems);
    } catch (error) {
      bars[Symbol.dispose]();
      complainOf(problems);
      for (const { messages } of results) for (const line of messages) complain(`done before: ${line}`);
      throw interrupt.signal.aborted ? interrupted(error) : error;
    }
  }
  return { results, archived: archivedPaths, problems };
}

/** The text in force, as LVM2 keeps one of each group. It is a convenience: the change is made already. */
async function backUp({ command, group, text }: CommandResult, problems: Problem[]): Promise<void> {
  if (group === null || text === null || command === "vgcfgbackup") return;
  const path = join(archiveFolder("backup"), group);
  await saveText(path, text).catch((error: unknown) => {
    const { code, message } = hostError(path, error);
    problems.push({ severity: "warning", code, message: `the new text could not be saved: ${message}` });
  });
}

function interrupted(error: unknown): CevError {
  return new CevError("CEV_CANCELLED", formatError(error), {
    hint: "the same command goes on where it stopped",
    cause: error,
  });
}

/** Prints what came of it. */
export function tell({ results, archived, problems }: ChangeOutcome, options: ChangeOptions): void {
  if (options.json === true) {
    say(JSON.stringify({ results: results.map(resultJson), archived, problems }, null, 2));
  } else if (options.quiet !== true) {
    for (const result of results) for (const line of textOf(result)) say(line);
    for (const path of archived) say(`saved the text before: ${path}`);
  }
  complainOf(problems);
  for (const { warnings } of results) for (const line of warnings) complain(`warning: ${line}`);
}

/** The whole text is for files. */
function resultJson(result: CommandResult): object {
  return { ...result, text: undefined };
}

function textOf({ isDryRun, messages, writes, seqnoBefore, seqnoAfter }: CommandResult): string[] {
  if (!isDryRun) return [...messages];
  return [
    "dry run, nothing is written:",
    ...messages.map((line) => `  ${line}`),
    ...writes.map(
      ({ device, what, offset, length }) =>
        `  would write ${length} bytes at ${offset} of ${device}: ${what}`,
    ),
    ...(seqnoAfter === null ? [] : [`  sequence number ${seqnoBefore ?? 0} would become ${seqnoAfter}`]),
  ];
}

/** Draws a bar for each long work, one after the other. */
class WorkBars implements Disposable {
  readonly #isForced: boolean;
  #bar: Progress | null = null;
  #what = "";

  constructor(isForced: boolean) {
    this.#isForced = isForced;
  }

  update({ what, done, total }: CommandProgress): void {
    if (what !== this.#what) {
      this.#bar?.[Symbol.dispose]();
      this.#bar = new Progress(what, total, this.#isForced);
      this.#what = what;
    }
    this.#bar?.to(done);
  }

  [Symbol.dispose](): void {
    this.#bar?.[Symbol.dispose]();
    this.#bar = null;
    this.#what = "";
  }
}
