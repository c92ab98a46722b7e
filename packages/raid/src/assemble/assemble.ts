import { CevError } from "@cev/core";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { Role, ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";

/** A device that carries a superblock. */
export interface Candidate {
  /** What the user calls it. */
  readonly name: string;
  readonly superblock: Superblock;
}

/** A device that is not part of the array, and why. */
export interface LeftOut {
  readonly name: string;
  /** The place in the array that it was left out of; null where that is not known, or it has none. */
  readonly index: number | null;
  /** In words, to follow the name: "is stale: …". */
  readonly reason: string;
}

/** What belongs together, by the indices of the members. */
export interface Assembly<C extends Candidate> {
  /** The one with the most events: what it says holds. */
  readonly newest: C;
  /** By member index; null where a member is missing. */
  readonly members: readonly (C | null)[];
  readonly missing: readonly number[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * Puts an array together from the superblocks of its members, in any order: those of the newest event count, or one
 * before it, which are current in the eyes of the newest. Throws `CEV_AMBIGUOUS` where it is not certain what belongs
 * together. How many may be missing is not judged here.
 */
export function assemble<C extends Candidate>(candidates: readonly C[]): Assembly<C> {
  refuseForeign(candidates);
  const newest = candidates.reduce((best, candidate) => (isNewer(candidate, best) ? candidate : best));
  refuseOtherArray(candidates, newest);
  const members = new Array<C | null>(newest.superblock.memberCount).fill(null);
  const leftOut: LeftOut[] = [];
  for (const candidate of [...candidates].sort(byEventCount)) {
    const reason = reasonToLeaveOut(candidate, newest);
    const role = ownRole(candidate.superblock);
    if (reason !== null) {
      leftOut.push({ name: candidate.name, index: role < Role.special ? role : null, reason });
      continue;
    }
    const other = members[role] ?? null;
    if (other !== null) throw sameRole(other, candidate, role);
    members[role] = candidate;
  }
  refuseSplit(members);
  const missing = members.flatMap((member, index) => (member === null ? [index] : []));
  return { newest, members, missing, leftOut };
}

function isNewer(candidate: Candidate, best: Candidate): boolean {
  const isMember = isActive(candidate.superblock);
  if (isMember !== isActive(best.superblock)) return isMember;
  return candidate.superblock.eventCount > best.superblock.eventCount;
}

function isActive(superblock: Superblock): boolean {
  return ownRole(superblock) < Role.special;
}

/** Newest first; those of equal age by name, so that messages do not depend on the order they were given in. */
function byEventCount(a: Candidate, b: Candidate): number {
  const difference = b.superblock.eventCount - a.superblock.eventCount;
  if (difference !== 0n) return difference > 0n ? 1 : -1;
  return a.name < b.name ? -1 : 1;
}

function refuseForeign(candidates: readonly Candidate[]): void {
  const first = candidates[0];
  if (first === undefined) throw new CevError("CEV_NOT_FOUND", "no device with an md superblock was given");
  const foreign = candidates.find((other) => other.superblock.arrayUuid !== first.superblock.arrayUuid);
  if (foreign === undefined) return;
  throw new CevError(
    "CEV_AMBIGUOUS",
    `${first.name} belongs to array ${first.superblock.arrayUuid}, ${foreign.name} to ${foreign.superblock.arrayUuid}`,
    { source: foreign.name, hint: "give the members of one array, or say which one with the option uuid" },
  );
}

/** Two arrays with one UUID (one was made from a copy of the other's members) cannot be told apart by it. */
function refuseOtherArray(candidates: readonly Candidate[], newest: Candidate): void {
  for (const candidate of candidates) {
    const difference = differenceOf(candidate.superblock, newest.superblock);
    if (difference === null) continue;
    throw new CevError(
      "CEV_AMBIGUOUS",
      `${candidate.name} and ${newest.name} have the same array UUID and differ in ${difference}: they belong to two arrays`,
      { source: candidate.name, hint: "leave out the devices of the other array" },
    );
  }
}

function differenceOf(a: Superblock, b: Superblock): string | null {
  if (a.createdAt.seconds !== b.createdAt.seconds || a.createdAt.microseconds !== b.createdAt.microseconds)
    return "the time they were made";
  if (a.level !== b.level) return "level";
  if (a.layout !== b.layout) return "layout";
  if (a.chunkSectors !== b.chunkSectors) return "chunk size";
  if (a.memberCount !== b.memberCount) return "number of members";
  if (a.sizeSectors !== b.sizeSectors) return "size";
  return a.version === b.version ? null : "version";
}

function reasonToLeaveOut(candidate: Candidate, newest: Candidate): string | null {
  const own = candidate.superblock;
  const role = ownRole(own);
  if (role === Role.faulty) return "has failed, by its own superblock";
  if (role >= Role.special) return "is a spare";
  if ((own.features & FeatureFlag.replacement) !== 0) return `is to replace active device ${role}`;
  if ((own.features & FeatureFlag.recovery) !== 0)
    return `is being rebuilt (${own.recoverySectors} of ${own.sizeSectors} sectors)`;
  const current = newest.superblock.eventCount;
  // A crash may have come between the updates of two superblocks; data was written only after both. So one event
  // behind is not stale, unless that very event was the failure of this member.
  if (own.eventCount + 1n < current)
    return `is stale: its event count is ${own.eventCount}, the newest is ${current}`;
  if (own.eventCount < current && newest.superblock.roles[own.deviceNumber] !== role)
    return `is stale: ${newest.name}, one event newer, no longer has it as active device ${role}`;
  return null;
}

function sameRole(a: Candidate, b: Candidate, role: number): CevError {
  const areCopies = a.superblock.deviceUuid === b.superblock.deviceUuid;
  return new CevError(
    "CEV_AMBIGUOUS",
    `${a.name} and ${b.name} both claim to be active device ${role} of array ${a.superblock.arrayUuid}` +
      (areCopies ? ", one is a copy of the other" : ""),
    { source: b.name, hint: "leave one of them out" },
  );
}

/** Members that each say the other has failed were run apart: neither half is the right one. */
function refuseSplit(members: readonly (Candidate | null)[]): void {
  for (const judge of members) {
    if (judge === null) continue;
    members.forEach((member, role) => {
      if (member === null || judge.superblock.eventCount < member.superblock.eventCount) return;
      if (judge.superblock.roles[member.superblock.deviceNumber] === role) return;
      throw new CevError(
        "CEV_AMBIGUOUS",
        `${judge.name} says that ${member.name} is no longer active device ${role}, which claims to be as new: they were run apart`,
        { source: member.name, hint: "give only the members of the half that is to be kept" },
      );
    });
  }
}
