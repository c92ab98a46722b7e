import { join, resolve } from "node:path";
import { CevError, formatError } from "@cev/core";
import { ExitStatus } from "../exit-status.ts";
import { hostError } from "../host-error.ts";
import { complain, complainOf, say } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import { archiveFolder, archived, saveText } from "./archive.ts";
import { splitWords } from "./arguments.ts";
import { change, perform, tell } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import { isCalled, orphansOf } from "./find-groups.ts";
import type { FoundVolumes } from "./find-groups.ts";
import { readText } from "./pv-commands.ts";

export interface BackupOptions extends ChangeOptions {
  readonly file?: string;
}

export interface RestoreOptions extends BackupOptions {
  readonly list?: boolean;
}

export interface CheckOptions extends ChangeOptions {
  readonly updatemetadata?: boolean;
}

/** `cev lvm vgcfgbackup`: the text of each group into a file. */
export async function vgCfgBackup(words: readonly string[], options: BackupOptions): Promise<ExitStatus> {
  const { names, devices } = splitWords(words, options.devices !== undefined);
  let files: string[] = [];
  let groups: readonly string[] = [];
  const outcome = await perform(options, {
    groups: (found) => (names.length > 0 ? names : found.groups.map(({ displayName }) => displayName)),
    devices: [],
    sources: devices,
    isLooking: true,
    requests: (_nameOf, found) => {
      // Groups of one name get files of their own.
      groups = names.length > 0 ? names : found.groups.map(({ displayName }) => displayName);
      if (groups.length === 0)
        throw new CevError("CEV_NOT_FOUND", "there is no volume group on these devices");
      if (groups.length > 1 && options.file !== undefined && !options.file.includes("%s"))
        throw new UsageError("these are several groups: put %s for the group's name into --file");
      return groups.map((group) => ({ command: "vgcfgbackup", group }));
    },
  });
  const isDryRun = options.test === true || options.dryRun === true;
  for (const [index, { text }] of outcome.results.entries()) {
    const path = backupPath(options.file, groups[index]!);
    if (!isDryRun) await writeBackup(path, text ?? "");
    files = [...files, path];
  }
  if (options.json === true) {
    say(JSON.stringify({ files, isDryRun, problems: outcome.problems }, null, 2));
    return ExitStatus.done;
  }
  for (const path of files) say(isDryRun ? `dry run, nothing is written: ${path}` : `the text is in ${path}`);
  complainOf(outcome.problems);
  return ExitStatus.done;
}

function backupPath(file: string | undefined, group: string): string {
  return file === undefined
    ? join(archiveFolder("backup"), group)
    : resolve(file.replaceAll("%s", () => group));
}

async function writeBackup(path: string, text: string): Promise<void> {
  await saveText(path, text).catch((error: unknown) => {
    throw hostError(path, error);
  });
}

/** `cev lvm vgcfgrestore`: a group as a text describes it. */
export async function vgCfgRestore(
  group: string,
  words: readonly string[],
  options: RestoreOptions,
): Promise<ExitStatus> {
  if (options.list === true) return listArchive(group, options);
  const file = options.file ?? join(archiveFolder("backup"), group);
  const text = await readText(file).catch((error: unknown) => {
    throw options.file === undefined ? nothingSaved(group, error) : error;
  });
  return change(options, {
    // The group may not be there any more; its physical volumes are.
    groups: [],
    devices: [],
    sources: words,
    areAllPvs: true,
    requests: () => [{ command: "vgcfgrestore", group, text, force: options.force }],
  });
}

function nothingSaved(group: string, error: unknown): CevError {
  return new CevError("CEV_NOT_FOUND", `nothing is saved of ${group}`, {
    hint: "name a file with -f; cev lvm vgcfgrestore --list shows what was replaced",
    cause: error,
  });
}

async function listArchive(group: string, options: RestoreOptions): Promise<ExitStatus> {
  const folder = options.archive ?? archiveFolder("archive");
  const files: { readonly file: string; readonly description: string; readonly time: string }[] = [];
  for (const { path } of await archived(folder, group)) {
    const text = await readText(path);
    const seconds = Number(/^creation_time\s*=\s*(\d+)/m.exec(text)?.[1] ?? 0);
    files.push({
      file: path,
      description: /^description\s*=\s*"((?:[^"\\]|\\.)*)"/m.exec(text)?.[1] ?? "",
      time: seconds === 0 ? "" : new Date(seconds * 1000).toISOString(),
    });
  }
  if (options.json === true) say(JSON.stringify({ files, problems: [] }, null, 2));
  else if (files.length === 0) say(`nothing is saved of ${group} in ${folder}`);
  else for (const { file, description, time } of files) say(`${file}\n  ${time}  ${description}`);
  return ExitStatus.done;
}

/** Devices that carry a text of these groups (null: of any) without being among their physical volumes, and damaged ones. */
function strangersOf(found: FoundVolumes, names: readonly string[] | null): readonly string[] {
  const groups = found.groups.filter((one) => names === null || names.some((name) => isCalled(one, name)));
  const uuids = new Set(groups.map(({ group }) => group.uuid));
  // Nobody knows whose a device is whose label is damaged.
  const damaged = found.deviceProblems.flatMap(({ code, device }) =>
    code === "CEV_BAD_METADATA" && device !== undefined ? [device] : [],
  );
  const former = orphansOf(found).flatMap(({ name, scan }) =>
    scan.areas.some(({ copy }) => copy !== null && uuids.has(copy.identity.uuid)) ? [name] : [],
  );
  return [...damaged, ...former];
}

/** `cev lvm vgck`: every fault of a group by name. Failed where there is one. */
export async function vgCk(words: readonly string[], options: CheckOptions): Promise<ExitStatus> {
  const { names, devices } = splitWords(words, options.devices !== undefined);
  const isUpdating = options.updatemetadata === true;
  const chosen = names.length > 0 ? names : null;
  const refused: string[] = [];
  const outcome = await perform(options, {
    groups: (found) => chosen ?? found.groups.map(({ displayName }) => displayName),
    devices: [],
    sources: devices,
    isLooking: !isUpdating,
    further: (found) => strangersOf(found, chosen),
    requests: (_nameOf, found) => {
      // A group that cannot even be put together is not among them.
      refused.push(...(found.failure === null ? [] : [formatError(found.failure)]));
      return (chosen ?? found.groups.map(({ displayName }) => displayName)).map((group) => ({
        command: "vgck",
        group,
        updateMetadata: isUpdating,
      }));
    },
  });
  const faults = outcome.results.flatMap(({ rows }) => rows);
  tell({ ...outcome, problems: options.json === true ? outcome.problems : [] }, options);
  if (options.json !== true) {
    for (const { message } of faults)
      complain(typeof message === "string" ? message : JSON.stringify(message));
    if (outcome.results.length === 0 && refused.length === 0)
      say("there is no volume group on these devices");
    else if (faults.length === 0 && refused.length === 0) say("no fault was found");
  }
  for (const line of refused) complain(line);
  return refused.length > 0 || (faults.length > 0 && !isUpdating) ? ExitStatus.failed : ExitStatus.done;
}
