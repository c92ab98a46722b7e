import { CevError } from "@cev/core";
import { superblockStructure } from "../metadata/superblock-fields.ts";
import { fieldPlace } from "../metadata/superblock-field-places.ts";
import type { SuperblockField } from "../metadata/superblock-field-places.ts";
import { ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Candidate } from "./assemble.ts";
import { callsFailed, isBehind } from "./standing.ts";

/** Throws `CEV_AMBIGUOUS` for devices of several arrays, `CEV_NOT_FOUND` for none. */
export function refuseForeign(candidates: readonly Candidate[]): void {
  const first = candidates[0];
  if (first === undefined) throw new CevError("CEV_NOT_FOUND", "no device with an md superblock was given");
  const foreign = candidates.find((other) => other.superblock.arrayUuid !== first.superblock.arrayUuid);
  if (foreign === undefined) return;
  throw ambiguous(
    foreign,
    "arrayUuid",
    `${first.name} belongs to array ${first.superblock.arrayUuid}, ${foreign.name} to ${foreign.superblock.arrayUuid}`,
    "give the members of one array, or say which one with the option uuid",
  );
}

/** Two arrays with one UUID (one was made from a copy of the other's members) cannot be told apart by it. */
export function refuseOtherArray(candidates: readonly Candidate[], newest: Candidate): void {
  for (const candidate of candidates) {
    const difference = differenceOf(candidate.superblock, newest.superblock);
    if (difference === null || isOutdated(candidate.superblock, newest.superblock)) continue;
    if (hasNotGrown(candidate.superblock, newest.superblock)) continue;
    const [field, words] = difference;
    throw ambiguous(
      candidate,
      field,
      `${candidate.name} and ${newest.name} have the same array UUID and differ in ${words}: they belong to two arrays`,
      "leave out the devices of the other array",
    );
  }
}

/** True for a device of the same array from before its shape was changed: it fell behind before that. */
export function isOutdated(superblock: Superblock, newest: Superblock): boolean {
  const difference = differenceOf(superblock, newest);
  return (
    difference !== null &&
    difference[0] !== "createdAt" &&
    difference[0] !== "majorVersion" &&
    isBehind(superblock, newest)
  );
}

/**
 * True for a member that lacks only the last event, in which the array grew (or gave up empty places): the power went
 * between the updates of two superblocks. What the newest says holds, as far as the member has room for it.
 */
function hasNotGrown(superblock: Superblock, newest: Superblock): boolean {
  const { sizeSectors, memberCount, eventCount } = newest;
  return (
    superblock.eventCount + 1n === eventCount &&
    superblock.dataSizeSectors >= sizeSectors &&
    differenceOf({ ...superblock, sizeSectors, memberCount }, newest) === null
  );
}

/** The first thing in which the superblocks of one array never differ, and these do; in words. */
function differenceOf(a: Superblock, b: Superblock): readonly [SuperblockField, string] | null {
  if (a.createdAt.seconds !== b.createdAt.seconds || a.createdAt.microseconds !== b.createdAt.microseconds)
    return ["createdAt", "the time they were made"];
  if (a.version !== b.version) return ["majorVersion", "version"];
  if (a.level !== b.level) return ["level", "level"];
  if (a.layout !== b.layout) return ["layout", "layout"];
  if (a.chunkSectors !== b.chunkSectors) return ["chunk", "chunk size"];
  if (a.memberCount !== b.memberCount) return ["memberCount", "number of members"];
  // Linear and RAID0 do not use the field.
  if (a.level > 0 && a.sizeSectors !== b.sizeSectors) return ["size", "size"];
  return reshapeDifference(a, b);
}

function reshapeDifference(one: Superblock, other: Superblock): readonly [SuperblockField, string] | null {
  const a = one.reshape;
  const b = other.reshape;
  if (a === null || b === null) return a === b ? null : ["features", "whether they are being reshaped"];
  if (a.level !== b.level) return ["newLevel", "the level they are to have"];
  if (a.layout !== b.layout) return ["newLayout", "the layout they are to have"];
  if (a.chunkSectors !== b.chunkSectors) return ["newChunk", "the chunk size they are to have"];
  if (a.memberDelta !== b.memberDelta) return ["memberDelta", "the number of members they are to have"];
  if (a.positionSectors === b.positionSectors || one.eventCount !== other.eventCount) return null;
  return ["reshapePosition", "how far they have been reshaped"];
}

/** Two devices for one place. */
export function sameRole(a: Candidate, b: Candidate, role: number): CevError {
  const { deviceUuid, arrayUuid } = a.superblock;
  const areCopies = deviceUuid !== "" && deviceUuid === b.superblock.deviceUuid;
  return ambiguous(
    b,
    "roles",
    `${a.name} and ${b.name} both claim to be active device ${role} of array ${arrayUuid}` +
      (areCopies ? ", one is a copy of the other" : ""),
    "leave one of them out",
  );
}

/** Two devices that are each the one journal. */
export function twoJournals(a: Candidate, b: Candidate): CevError {
  return ambiguous(
    b,
    "roles",
    `${a.name} and ${b.name} both claim to be the journal of array ${a.superblock.arrayUuid}`,
    "leave one of them out",
  );
}

/** Members that each say the other has failed were run apart: neither half is the right one. */
export function refuseSplit(members: readonly (Candidate | null)[]): void {
  for (const judge of members) {
    if (judge === null) continue;
    for (const member of members) {
      if (member === null || judge.superblock.eventCount < member.superblock.eventCount) continue;
      if (!callsFailed(judge.superblock, member.superblock)) continue;
      throw ambiguous(
        member,
        "roles",
        `${judge.name} says that ${member.name} is no longer active device ${ownRole(member.superblock)}, which claims to be as new: they were run apart`,
        "give only the members of the half that is to be kept",
      );
    }
  }
}

function ambiguous(
  { name, superblock }: Candidate,
  field: SuperblockField,
  message: string,
  hint: string,
): CevError {
  const { version, superOffsetSectors, deviceNumber, roles } = superblock;
  const place = fieldPlace(version, field);
  const index = field === "roles" && deviceNumber < roles.length ? deviceNumber : 0;
  return new CevError("CEV_AMBIGUOUS", message, {
    source: name,
    structure: superblockStructure(version),
    field: place.name,
    byteOffset: superOffsetSectors * 512 + place.at + place.step * index,
    hint,
  });
}
