import { FeatureFlag } from "../metadata/superblock-features.ts";
import { Role, ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Candidate } from "./assemble.ts";

/**
 * What a device is to the array, in the eyes of the newest superblock. `in sync`: it holds what it should. `rebuilding`: up
 * to a position. `stale`: it was active once, and has missed something. `rival`: it was active, and says that the newest
 * has failed: the two were run apart.
 */
export type Standing =
  | { readonly is: "in sync" | "rebuilding"; readonly role: number }
  | { readonly is: "spare" | "journal" }
  | { readonly is: "stale" | "rival" | "replacement" | "faulty"; readonly reason: string };

/** Judges one device by its own superblock and by the newest. */
export function standingOf({ superblock: own }: Candidate, newest: Candidate): Standing {
  const role = ownRole(own);
  if (role === Role.faulty) return { is: "faulty", reason: "has failed, by its own superblock" };
  if (role === Role.journal) return { is: "journal" };
  if (role >= Role.special) return { is: "spare" };
  if ((own.features & FeatureFlag.replacement) !== 0)
    return { is: "replacement", reason: `is to replace active device ${role}` };
  const reason = reasonOfAge(own, newest, role);
  if (reason === null)
    return { is: (own.features & FeatureFlag.recovery) === 0 ? "in sync" : "rebuilding", role };
  const newestRole = ownRole(newest.superblock);
  if (newestRole >= Role.special || own.roles.includes(newestRole)) return { is: "stale", reason };
  return {
    is: "rival",
    reason: `${reason}, and it says that ${newest.name} has failed: they were run apart`,
  };
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
