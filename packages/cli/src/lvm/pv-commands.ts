import { readFile } from "node:fs/promises";
import type { PvOptions } from "@cev/lvm";
import type { ExitStatus } from "../exit-status.ts";
import { hostError } from "../host-error.ts";
import { UsageError } from "../usage-error.ts";
import { change } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import { isMeant } from "./device-names.ts";
import { devicesOf } from "./find-groups.ts";
import type { FoundVolumes } from "./find-groups.ts";
import { inKiB, parseNumber, parseYesNo } from "./size-option.ts";

/** Settings of new physical volumes, as they stand on the command line. */
export interface PvSettings {
  readonly pvmetadatacopies?: string;
  readonly metadatacopies?: string;
  readonly metadatasize?: string;
  readonly dataalignment?: string;
  readonly dataalignmentoffset?: string;
  readonly labelsector?: string;
  readonly bootloaderareasize?: string;
  readonly zero?: string;
}

export interface PvCreateOptions extends ChangeOptions, PvSettings {
  readonly uuid?: string;
  readonly restorefile?: string;
  readonly norestorefile?: boolean;
  readonly setphysicalvolumesize?: string;
}

export interface PvChangeOptions extends ChangeOptions {
  readonly addtag?: readonly string[];
  readonly deltag?: readonly string[];
  readonly allocatable?: string;
  readonly uuid?: boolean;
}

export interface PvResizeOptions extends ChangeOptions {
  readonly setphysicalvolumesize?: string;
}

/** Settings of new physical volumes, checked. */
export function pvSettings(options: PvSettings & { readonly force?: boolean }): PvOptions {
  const copies = options.pvmetadatacopies ?? options.metadatacopies;
  return {
    metadataCopies: copies === undefined ? undefined : parseNumber(copies, "--pvmetadatacopies"),
    metadataSize: options.metadatasize,
    dataAlignment: inKiB(options.dataalignment),
    dataAlignmentOffset: inKiB(options.dataalignmentoffset),
    labelSector:
      options.labelsector === undefined ? undefined : parseNumber(options.labelsector, "--labelsector"),
    bootloaderAreaSize: options.bootloaderareasize,
    zero: options.zero === undefined ? undefined : parseYesNo(options.zero, "--zero"),
    force: options.force,
  };
}

/** `cev lvm pvcreate`. */
export async function pvCreate(words: readonly string[], options: PvCreateOptions): Promise<ExitStatus> {
  const { uuid, restorefile, norestorefile } = options;
  if (uuid !== undefined && restorefile === undefined && norestorefile !== true)
    throw new UsageError("--uuid needs --restorefile with a backup that knows it, or --norestorefile");
  const restoreText = restorefile === undefined ? undefined : await readText(restorefile);
  return change(options, {
    groups: (found) => ownersOf(found, words),
    devices: words,
    areNew: true,
    requests: (nameOf) => [
      {
        command: "pvcreate",
        devices: words.map(nameOf),
        uuid,
        restoreText,
        setSize: options.setphysicalvolumesize,
        ...pvSettings(options),
      },
    ],
  });
}

/** A metadata text from a file, byte for byte. */
export async function readText(path: string): Promise<string> {
  return readFile(path, "latin1").catch((error: unknown) => {
    throw hostError(path, error);
  });
}

/** `cev lvm pvremove`. */
export function pvRemove(words: readonly string[], options: ChangeOptions): Promise<ExitStatus> {
  return change(options, {
    groups: (found) => ownersOf(found, words),
    devices: words,
    requests: (nameOf) => [{ command: "pvremove", devices: words.map(nameOf), force: options.force }],
  });
}

/** `cev lvm pvresize`. */
export function pvResize(words: readonly string[], options: PvResizeOptions): Promise<ExitStatus> {
  return change(options, {
    groups: (found) => ownersOf(found, words),
    devices: words,
    requests: (nameOf) => [
      { command: "pvresize", devices: words.map(nameOf), setSize: options.setphysicalvolumesize },
    ],
  });
}

/** `cev lvm pvchange`. */
export function pvChange(words: readonly string[], options: PvChangeOptions): Promise<ExitStatus> {
  const { allocatable, addtag, deltag, uuid } = options;
  if (allocatable === undefined && addtag === undefined && deltag === undefined && uuid !== true)
    throw new UsageError("say what is to change: -x, -u, --addtag or --deltag");
  return change(options, {
    groups: (found) => ownersOf(found, words),
    devices: words,
    requests: (nameOf) => [
      {
        command: "pvchange",
        devices: words.map(nameOf),
        isAllocatable: allocatable === undefined ? undefined : parseYesNo(allocatable, "-x"),
        newUuid: uuid,
        addTags: addtag,
        deleteTags: deltag,
      },
    ],
  });
}

/** The groups that devices belong to, as they are called. Devices that are not there yet belong to none. */
export function ownersOf(found: FoundVolumes, words: readonly string[]): readonly string[] {
  const names = new Set(
    words.flatMap((word) => found.stack.devices.filter((one) => isMeant(one, word)).map(({ name }) => name)),
  );
  return found.groups
    .filter((group) => devicesOf(found, group).some(({ name }) => names.has(name)))
    .map(({ displayName }) => displayName);
}
