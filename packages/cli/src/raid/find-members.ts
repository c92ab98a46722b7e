import type { Device, Problem } from "@cev/core";
import { readSuperblock } from "@cev/raid";
import type { ScanTarget, Superblock } from "@cev/raid";
import type { Stack, StackDevice } from "@cev/stack";
import { lookInto } from "../sources.ts";
import type { KeyOptions } from "../sources.ts";
import { memberPath } from "./member-path.ts";

/** The driver whose members are looked for. */
export const RAID_DRIVER = "@cev/raid";

/** A device that carries a superblock. */
export interface FoundMember {
  /** As `cev inspect` names it. */
  readonly name: string;
  /** See `memberPath`. */
  readonly path: string | null;
  readonly device: Device;
  readonly target: ScanTarget;
  readonly superblock: Superblock;
}

/** All members that were found in some sources, open for reading until it is closed. */
export interface FoundMembers {
  readonly stack: Stack;
  readonly members: readonly FoundMember[];
  /** Sources that carry nothing known, or a superblock that cannot be accepted. */
  readonly problems: readonly Problem[];
}

/**
 * Looks for md superblocks on all that can be found in images or a stack file: on the images, their partitions, and what
 * stands on those. Writes nothing. Close its stack.
 */
export function findMembers(sources: readonly string[], keys: KeyOptions): Promise<FoundMembers> {
  return lookInto(sources, keys, async (stack) => {
    const members: FoundMember[] = [];
    const problems: Problem[] = [];
    for (const record of stack.devices) {
      const { problem, member } = await lookAt(stack, record);
      if (member !== null) members.push(member);
      if (problem !== null) problems.push(problem);
    }
    return { stack, members, problems };
  });
}

async function lookAt(
  stack: Stack,
  record: StackDevice,
): Promise<{ readonly member: FoundMember | null; readonly problem: Problem | null }> {
  const { name, content } = record;
  // Devices of a stack file are not looked at: what an array stands on there is a member by name.
  if (content?.driver === RAID_DRIVER || arrayOver(stack, name) !== null) {
    const device = await stack.open(name, { isReadOnly: true });
    const target = targetOf(device, name);
    const superblock = await readSuperblock(target);
    if (superblock !== null) {
      const path = memberPath(record);
      return { member: { name, path, device, target, superblock }, problem: null };
    }
  }
  // What is wrong with an array itself is told when it is opened.
  const isUnknown = content === null && record.layer !== null && record.driver !== RAID_DRIVER;
  const problem = isUnknown ? stack.problems.find((one) => isAbout(one, name)) : undefined;
  return { member: null, problem: problem ?? null };
}

/** The array that was found over a device. */
export function arrayOver(stack: Stack, member: string): StackDevice | null {
  const isOver = (one: StackDevice): boolean =>
    one.driver === RAID_DRIVER && one.lowers.some(({ name }) => name === member);
  return stack.devices.find(isOver) ?? null;
}

function targetOf(device: Device, source: string): ScanTarget {
  return { source, size: device.size, read: (offset, length) => device.read(offset, length) };
}

const isAbout = ({ device, severity }: Problem, name: string): boolean =>
  device === name && severity === "error";
