import { FeatureFlag } from "../metadata/superblock-features.ts";
import { Role, ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Candidate } from "./assemble.ts";

/**
 * What a device is to the array, in the eyes of the newest superblock. `in sync`: it holds what it should. `rebuilding`: up
 * to a position. `stale`: it was active once, and has missed something.
 */
export type Standing =
  | { readonly is: "in sync" | "rebuilding"; readonly role: number }
  | { readonly is: "spare" | "journal" }
  | { readonly is: "stale" | "replacement" | "faulty"; readonly reason: string };

/** Judges one device by its own superblock and by the newest. */
export function standingOf({ superblock: own }: Candidate, newest: Candidate): Standing {
  const role = ownRole(own);
  if (role === Role.faulty) return { is: "faulty", reason: "has failed, by its own superblock" };
  if (role === Role.journal) return { is: "journal" };
  if (role >= Role.special) return { is: "spare" };
  if ((own.features & FeatureFlag.replacement) !== 0)
    return { is: "replacement", reason: `is to replace active device ${role}` };
  const reason = reasonOfAge(own, newest, role);
  if (reason !== null) return { is: "stale", reason };
  return { is: (own.features & FeatureFlag.recovery) === 0 ? "in sync" : "rebuilding", role };
}

/**
 * Why a stale member may hold what the others never had: it may have been written to without them, after they had failed
 * in its eyes. In words, to follow why it is stale. Null where it was not: one of the `current` members is, in its eyes,
 * where it is now, and would have got what was written. Where they all came after the last that it heard of the array,
 * its superblock looks the same either way: who is absent stands there like who has failed.
 */
export function apartFrom({ superblock: own }: Candidate, current: readonly Candidate[]): string | null {
  if (current.some(({ superblock }) => !callsFailed(own, superblock))) return null;
  const failed = current.find(({ superblock }) => sawFail(own, superblock));
  return failed === undefined
    ? "it knows none of those that are up to date: it is from before they were added, or was run apart from them"
    : `it says that ${failed.name} has failed: they were run apart`;
}

/** True where a superblock says for certain that a device was there and failed. */
function sawFail(own: Superblock, { deviceNumber }: Superblock): boolean {
  // Who is added to an array at work gets a number above those of its places; in version 0.90 the number is the place.
  const isFirst = deviceNumber < own.memberCount && own.version !== "0.90";
  return isFirst && own.roles[deviceNumber] === Role.faulty;
}

function reasonOfAge(own: Superblock, newest: Candidate, role: number): string | null {
  const { eventCount: current } = newest.superblock;
  if (!isBehind(own, newest.superblock)) return null;
  if (own.eventCount + 1n < current)
    return `is stale: its event count is ${own.eventCount}, the newest is ${current}`;
  return `is stale: ${newest.name}, one event newer, no longer has it as active device ${role}`;
}

/**
 * True for a superblock that has missed something. A crash may have come between the updates of two superblocks; data
 * was written only after both. So one event behind is not stale, unless that very event was the failure of this member.
 */
export function isBehind(own: Superblock, newest: Superblock): boolean {
  if (own.eventCount + 1n < newest.eventCount) return true;
  return own.eventCount < newest.eventCount && callsFailed(newest, own);
}

/** True where one superblock no longer has the device of another in its place. */
export function callsFailed(judge: Superblock, other: Superblock): boolean {
  return judge.roles[other.deviceNumber] !== ownRole(other);
}
