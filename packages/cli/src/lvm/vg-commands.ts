import type { AllocationPolicy, CommandRequest } from "@cev/lvm";
import { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { isDevicePath, splitWords } from "./arguments.ts";
import { change } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import { deviceNamed } from "./device-names.ts";
import { ownersOf, pvSettings } from "./pv-commands.ts";
import type { PvSettings } from "./pv-commands.ts";
import { parseNumber, parseYesNo } from "./size-option.ts";

export interface VgSettings {
  readonly physicalextentsize?: string;
  readonly maxlogicalvolumes?: string;
  readonly maxphysicalvolumes?: string;
  readonly alloc?: AllocationPolicy;
  readonly addtag?: readonly string[];
}

export interface VgCreateOptions extends ChangeOptions, PvSettings, VgSettings {}

export interface VgExtendOptions extends ChangeOptions, PvSettings {
  readonly restoremissing?: boolean;
}

export interface VgReduceOptions extends ChangeOptions {
  readonly all?: boolean;
  readonly removemissing?: boolean;
}

export interface VgChangeOptions extends ChangeOptions {
  readonly addtag?: readonly string[];
  readonly deltag?: readonly string[];
  readonly alloc?: AllocationPolicy;
  readonly logicalvolume?: string;
  readonly maxphysicalvolumes?: string;
  readonly resizeable?: string;
  readonly uuid?: boolean;
  readonly activate?: string;
}

export interface VgImportCloneOptions extends ChangeOptions {
  readonly basevgname?: string;
}

const isForced = ({ force, yes }: ChangeOptions): boolean => force === true || yes === true;
const numberOf = (text: string | undefined, option: string): number | undefined =>
  text === undefined ? undefined : parseNumber(text, option);

/** `cev lvm vgcreate`. */
export function vgCreate(
  group: string,
  words: readonly string[],
  options: VgCreateOptions,
): Promise<ExitStatus> {
  return change(options, {
    groups: (found) => ownersOf(found, words),
    devices: words,
    areNew: true,
    requests: (nameOf) => [
      {
        command: "vgcreate",
        group,
        devices: words.map(nameOf),
        extentSize: options.physicalextentsize,
        logicalVolumesMax: numberOf(options.maxlogicalvolumes, "--maxlogicalvolumes"),
        physicalVolumesMax: numberOf(options.maxphysicalvolumes, "--maxphysicalvolumes"),
        alloc: options.alloc,
        tags: options.addtag,
        ...pvSettings(options),
      },
    ],
  });
}

/** `cev lvm vgextend`. */
export function vgExtend(
  group: string,
  words: readonly string[],
  options: VgExtendOptions,
): Promise<ExitStatus> {
  return change(options, {
    groups: (found) => [...new Set([group, ...ownersOf(found, words)])],
    devices: words,
    areNew: options.restoremissing !== true,
    requests: (nameOf) => [
      {
        command: "vgextend",
        group,
        devices: words.map(nameOf),
        restoreMissing: options.restoremissing,
        ...pvSettings(options),
      },
    ],
  });
}

/** `cev lvm vgreduce`. */
export function vgReduce(
  group: string,
  words: readonly string[],
  options: VgReduceOptions,
): Promise<ExitStatus> {
  const isNamed = options.all !== true && options.removemissing !== true;
  if (isNamed && words.length === 0)
    throw new UsageError("name the physical volumes to take out, or use --all or --removemissing");
  // Otherwise the words can only say where to look.
  return change(options, {
    groups: [group],
    devices: [],
    sources: words,
    requests: (_nameOf, found) => [
      {
        command: "vgreduce",
        group,
        devices: isNamed ? words.map((word) => deviceNamed(found, word).name) : undefined,
        all: options.all,
        removeMissing: options.removemissing,
        force: options.force,
      },
    ],
  });
}

/** `cev lvm vgrename`. */
export function vgRename(
  group: string,
  newName: string,
  words: readonly string[],
  options: ChangeOptions,
): Promise<ExitStatus> {
  return change(options, {
    groups: [group],
    devices: [],
    sources: words,
    requests: () => [{ command: "vgrename", group, newName: newName.replace(/^\/dev\//, "") }],
  });
}

/** Commands about one group or several, of which nothing but the names has to be known. */
export function onGroups(
  words: readonly string[],
  options: ChangeOptions,
  request: (group: string) => CommandRequest,
): Promise<ExitStatus> {
  const { names, devices } = splitWords(words, options.devices !== undefined);
  if (names.length === 0) throw new UsageError("name the volume group");
  return change(options, {
    groups: names,
    devices: [],
    sources: devices,
    requests: () => names.map(request),
  });
}

/** `cev lvm vgremove`. */
export function vgRemove(words: readonly string[], options: ChangeOptions): Promise<ExitStatus> {
  return onGroups(words, options, (group) => ({ command: "vgremove", group, force: isForced(options) }));
}

/** `cev lvm vgchange`. */
export async function vgChange(words: readonly string[], options: VgChangeOptions): Promise<ExitStatus> {
  refuseActivation(options.activate);
  const { addtag, deltag, alloc, logicalvolume, maxphysicalvolumes, resizeable, uuid } = options;
  const isIdle = [addtag, deltag, alloc, logicalvolume, maxphysicalvolumes, resizeable, uuid].every(
    (one) => one === undefined,
  );
  // There is nothing to be done: no volume is active.
  if (isIdle && options.activate !== undefined) return ExitStatus.done;
  if (isIdle) throw new UsageError("say what is to change: --addtag, --deltag, --alloc, -l, -p, -x or -u");
  return onGroups(words, options, (group) => ({
    command: "vgchange",
    group,
    addTags: addtag,
    deleteTags: deltag,
    alloc,
    logicalVolumesMax: numberOf(logicalvolume, "--logicalvolume"),
    physicalVolumesMax: numberOf(maxphysicalvolumes, "--maxphysicalvolumes"),
    isResizeable: resizeable === undefined ? undefined : parseYesNo(resizeable, "-x"),
    newUuid: uuid,
  }));
}

/** Who comes from LVM2 looks for it. */
export function refuseActivation(activate: string | undefined): void {
  // "n", "ln", "en": that is so already.
  if (activate !== undefined && !activate.endsWith("n"))
    throw new UsageError(
      "nothing is activated here: cev serve offers volumes over NBD, cev copy reads and writes them",
    );
}

/** `cev lvm vgimportclone`. */
export function vgImportClone(words: readonly string[], options: VgImportCloneOptions): Promise<ExitStatus> {
  // The original is in sight where a shell's history has it: it must not be mixed up with the copy.
  const areFiles = words.every(isDevicePath);
  return change(areFiles ? { ...options, devices: undefined } : options, {
    groups: [],
    devices: words,
    requests: (nameOf) => [
      { command: "vgimportclone", devices: words.map(nameOf), baseName: options.basevgname },
    ],
  });
}
