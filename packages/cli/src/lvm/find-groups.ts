import { formatError, isCevError } from "@cev/core";
import type { CevError, Device, Problem } from "@cev/core";
import { TextCache, assembleGroups, scanPhysicalVolume } from "@cev/lvm";
import type { AssembledGroup, PvScan } from "@cev/lvm";
import type { Stack, StackDevice } from "@cev/stack";
import { memberPath } from "../raid/member-path.ts";
import { lookInto } from "../sources.ts";
import type { KeyOptions } from "../sources.ts";
import { PV_IN_USE } from "./report/attributes.ts";

/** The driver whose physical volumes are looked for. */
export const LVM_DRIVER = "@cev/lvm";

/** A device that carries a label. */
export interface FoundDevice {
  /** As `cev inspect` names it. */
  readonly name: string;
  /** See `memberPath`. */
  readonly path: string | null;
  readonly device: Device;
  /** Bytes. */
  readonly size: number;
  readonly scan: PvScan;
}

/** What was found in some sources, open for reading until its stack is closed. */
export interface FoundVolumes {
  readonly stack: Stack;
  /** In the order in which `groups` counts them. */
  readonly devices: readonly FoundDevice[];
  readonly groups: readonly AssembledGroup[];
  /** Why a group could not be put together; null: all could. What stands on each device is known all the same. */
  readonly failure: CevError | null;
  /** What is wrong with devices in which no physical volume was found. */
  readonly deviceProblems: readonly Problem[];
  /** What is wrong with labels and metadata. */
  readonly groupProblems: readonly Problem[];
}

/**
 * Looks for physical volumes on all that can be found in images or a stack file: on the images, their partitions, arrays and
 * locks, and puts groups together. Writes nothing. Close its stack.
 */
export function findVolumes(sources: readonly string[], keys: KeyOptions): Promise<FoundVolumes> {
  return lookInto(sources, keys, async (stack) => {
    const devices: FoundDevice[] = [];
    const deviceProblems: Problem[] = [];
    const groupProblems: Problem[] = [];
    const texts = new TextCache();
    for (const record of stack.devices) {
      const { found, problem } = await lookAt(stack, record, texts);
      if (found !== null) devices.push(found);
      if (problem !== null) deviceProblems.push(problem);
    }
    const { groups, failure } = assembled(devices, (problem) => groupProblems.push(problem));
    const unused = unusedAmong({ devices, groups });
    const isWrong = ({ device }: Problem): boolean => device === undefined || !unused.has(device);
    return {
      stack,
      devices,
      groups,
      failure,
      deviceProblems,
      groupProblems: groupProblems.filter(isWrong),
    };
  });
}

function assembled(
  devices: readonly FoundDevice[],
  report: (problem: Problem) => void,
): Pick<FoundVolumes, "groups" | "failure"> {
  let failure: CevError | null = null;
  const groups = assembleGroups(
    devices.map(({ scan }) => scan),
    report,
    (error) => {
      failure ??= error;
      report({ severity: "error", code: error.code, message: formatError(error) });
    },
  );
  return { groups, failure };
}

async function lookAt(
  stack: Stack,
  record: StackDevice,
  texts: TextCache,
): Promise<{ readonly found: FoundDevice | null; readonly problem: Problem | null }> {
  const { name, content, layer, driver } = record;
  // Devices of a stack file are not looked at: what a group stands on there is a physical volume by name.
  if (content?.driver === LVM_DRIVER || isBelowGroup(stack, name)) {
    const device = await stack.open(name, { isReadOnly: true });
    try {
      const scan = await scanPhysicalVolume(
        { name, size: device.size, read: (offset, length) => device.read(offset, length) },
        texts,
      );
      if (scan !== null)
        return {
          found: { name, path: memberPath(record), device, size: device.size, scan },
          problem: null,
        };
    } catch (error) {
      if (!isCevError(error)) throw error;
      return {
        found: null,
        problem: { severity: "error", code: error.code, message: formatError(error), device: name },
      };
    }
  }
  // What is wrong with a volume is told when it is opened.
  const isUnknown = content === null && layer !== null && driver !== LVM_DRIVER;
  const problem = isUnknown
    ? stack.problems.find((one) => one.device === name && one.severity === "error")
    : undefined;
  return { found: null, problem: problem ?? null };
}

function isBelowGroup(stack: Stack, name: string): boolean {
  return stack.devices.some(
    ({ driver, lowers }) => driver === LVM_DRIVER && lowers.some((lower) => lower.name === name),
  );
}

/** The devices of a group, also those that are out of date. */
export function devicesOf(
  { devices }: FoundVolumes,
  { scanIndexes }: AssembledGroup,
): readonly FoundDevice[] {
  return scanIndexes.map((index) => devices[index]!);
}

/** Devices that belong to no group that was found. */
export function orphansOf({
  devices,
  groups,
}: Pick<FoundVolumes, "devices" | "groups">): readonly FoundDevice[] {
  const owned = new Set(groups.flatMap(({ scanIndexes }) => scanIndexes));
  return devices.filter((_, index) => !owned.has(index));
}

/** True for a group's name, its UUID, and where groups have one name, what it is called among them. */
export function isCalled({ group, displayName }: AssembledGroup, word: string): boolean {
  return group.name === word || group.uuid === word || displayName === word;
}

/** Physical volumes that were made and not given to a group yet: there is nothing wrong with them. */
export function unusedAmong(found: Pick<FoundVolumes, "devices" | "groups">): ReadonlySet<string> {
  const unused = orphansOf(found).filter(
    ({ scan: { label, areas } }) =>
      ((label.extension?.flags ?? 0) & PV_IN_USE) === 0 &&
      areas.every(({ copy, error }) => copy === null && error === null),
  );
  return new Set(unused.map(({ name }) => name));
}
