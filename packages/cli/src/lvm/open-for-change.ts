import { dirname, resolve } from "node:path";
import { CevError, environmentFrom, isCevError } from "@cev/core";
import type { Device } from "@cev/core";
import { isStackFilePath, openStack, pickEntries } from "@cev/stack";
import type { DeviceEntry, Stack, StackDescription } from "@cev/stack";
import { openDevice } from "../open-device.ts";
import { SIGNATURE_REACH, knownContent } from "../raid/known-contents.ts";
import { readKeys } from "../sources.ts";
import type { KeyOptions } from "../sources.ts";
import { standardDrivers } from "../standard-drivers.ts";
import { WorkLine } from "../work-line.ts";
import { recordNamed } from "./device-names.ts";
import { LVM_DRIVER, devicesOf, isCalled } from "./find-groups.ts";
import type { FoundVolumes } from "./find-groups.ts";

const BLOCK = 4096;
const WIPED_LENGTH = 1 << 20;

/** Which devices a change is made on. */
export interface ChangeDevices {
  /** Groups by name or UUID: all their physical volumes. Null: the only group that there is. */
  readonly groups: readonly string[] | null;
  /** Devices by name or path, whatever they carry. */
  readonly named: readonly string[];
  /** Images that are not there in a dry run, with their size. */
  readonly imagined: readonly { readonly path: string; readonly size: number }[];
}

/** Devices opened for a change. Close the stack. */
export interface OpenedDevices {
  readonly stack: Stack;
  readonly devices: readonly Device[];
}

/** The names of devices that a change is made on, in the order of the stack. Throws where a group is not there. */
export function namesForChange(found: FoundVolumes, wanted: ChangeDevices): readonly string[] {
  const names = new Set(wanted.named.map((word) => recordNamed(found.stack, word).name));
  for (const group of chosenGroups(found, wanted.groups))
    for (const { name } of devicesOf(found, group)) names.add(name);
  return [...names];
}

function chosenGroups(found: FoundVolumes, wanted: readonly string[] | null): FoundVolumes["groups"] {
  const { groups } = found;
  if (wanted === null) {
    if (groups.length <= 1) return groups;
    throw new CevError(
      "CEV_AMBIGUOUS",
      `there are ${groups.length} groups on these devices: ${namesOf(found)}`,
      {
        hint: "name the one that is meant",
      },
    );
  }
  return wanted.flatMap((name) => {
    const fitting = groups.filter((group) => isCalled(group, name));
    if (fitting.length > 1)
      throw new CevError("CEV_AMBIGUOUS", `${fitting.length} groups on these devices are named ${name}`, {
        hint: `name one of them: ${fitting.map(({ displayName }) => displayName).join(", ")}`,
      });
    if (fitting.length === 0)
      throw new CevError("CEV_NOT_FOUND", `there is no volume group ${name} on these devices`, {
        hint: `there ${groups.length > 1 ? "are" : "is"} ${namesOf(found)}; ${whereElse(found)}`,
      });
    return fitting;
  });
}

const namesOf = ({ groups }: FoundVolumes): string =>
  groups.map(({ displayName }) => displayName).join(", ") || "none";

/** Where a group may be that was not found. */
export function whereElse({ stack }: FoundVolumes): string {
  const locked = stack.devices.filter(({ state }) => state === "locked").map(({ name }) => name);
  if (locked.length === 0) return "--devices says where to look";
  return `${locked.join(", ")} ${locked.length > 1 ? "are" : "is"} locked: --passphrase-file or --key-file opens it`;
}

/** Refuses devices that carry something else than a physical volume; gives those that do, where that is forced. */
export async function checkOccupied(
  found: FoundVolumes,
  words: readonly string[],
  isForced: boolean,
): Promise<readonly string[]> {
  const occupied: string[] = [];
  for (const word of words) {
    const { name, content, layer } = recordNamed(found.stack, word);
    if (content?.driver === LVM_DRIVER || layer === null) continue;
    const damage = found.stack.problems.find(
      ({ device, severity, code }) => device === name && severity === "error" && code !== "CEV_NOT_FOUND",
    );
    const device = await found.stack.open(name, { isReadOnly: true });
    const length = Math.min(device.size, Math.ceil(SIGNATURE_REACH / BLOCK) * BLOCK);
    const summary = content?.summary ?? damage?.message ?? knownContent(await device.read(0, length));
    if (summary === null) continue;
    if (!isForced)
      throw new CevError("CEV_BUSY", `it carries something already: ${summary}`, {
        source: word,
        hint: "choose another device, or add --force to overwrite it",
      });
    occupied.push(name);
  }
  return occupied;
}

/** Opens devices that were found, and what they stand on, and nothing beside them. Closes what was open for looking. */
export async function openForChange(
  found: FoundVolumes,
  request: KeyOptions & {
    readonly sources: readonly string[];
    readonly names: readonly string[];
    readonly imagined: ChangeDevices["imagined"];
    readonly isReadOnly: boolean;
    readonly canWriteDegraded: boolean;
  },
): Promise<OpenedDevices> {
  const { sources, names, imagined, isReadOnly, canWriteDegraded } = request;
  let description: StackDescription;
  try {
    description = pickEntries(found.stack.describe(), names);
  } finally {
    await found.stack.close();
  }
  const ram: Record<string, DeviceEntry> = {};
  for (const { path, size } of imagined) ram[path] = { driver: "@cev/hw-ramdisk", size };
  const all = [...names, ...Object.keys(ram)];
  const [source = "."] = sources;
  using line = new WorkLine();
  const stack = await openStack(
    { devices: { ...description.devices, ...ram } },
    {
      environment: environmentFrom(globalThis),
      drivers: standardDrivers(),
      keys: await readKeys(request),
      isReadOnly,
      canWriteDegraded,
      only: all,
      directory: isStackFilePath(source) ? dirname(resolve(source)) : ".",
      source: "the devices",
      isFound: true,
      onWork: (what) => line.begin(what),
    },
  ).catch(explainBusy);
  line.end();
  try {
    const devices: Device[] = [];
    for (const name of all) devices.push(await openDevice(stack, name, { isReadOnly }));
    return { stack, devices };
  } catch (error) {
    await stack.close().catch(() => undefined);
    throw error;
  }
}

function explainBusy(error: unknown): never {
  if (!isCevError(error) || error.code !== "CEV_BUSY") throw error;
  const hint = "end what serves or writes it first: no group is changed while its volumes are in use";
  throw new CevError(error.code, error.message, { ...error.place, hint, cause: error });
}

/** Takes away what a device carries, so that nobody takes it for that again: its first and its last MiB. */
export async function wipe(device: Device): Promise<void> {
  const length = Math.min(device.size, WIPED_LENGTH);
  await device.writeZeroes(0, length);
  await device.writeZeroes(device.size - length, length);
  await device.flush();
}
