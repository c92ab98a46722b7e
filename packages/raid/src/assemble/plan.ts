import { CevError, formatError, isCevError } from "@cev/core";
import type { Layer, Problem } from "@cev/core";
import { assemble } from "./assemble.ts";
import type { Assembly, LeftOut, Rebuilding } from "./assemble.ts";
import { geometryOf, refuseField } from "./geometry.ts";
import type { Raid0LayoutOption } from "./geometry.ts";
import { canReAdd } from "./re-add.ts";
import { readOnlyReason } from "./read-only-reasons.ts";
import { planReshape } from "./reshape.ts";
import type { ReshapePlan } from "./reshape.ts";
import { judge, titleOf, tooFew } from "./judgement.ts";
import { unsyncedRanges } from "../array/unsynced-ranges.ts";
import type { MemberDevice } from "../array/member.ts";
import type { Geometry, Level } from "../levels/level.ts";
import { formatUuid, parseUuid } from "../metadata/identity.ts";
import { BitmapState } from "../metadata/bitmap.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { readBadBlocks, readBitmap, readSuperblock } from "../metadata/member-scan.ts";
import type { MemberBitmap, ScanTarget } from "../metadata/member-scan.ts";
import type { RaidOptions } from "../options.ts";

/** A device to look at, with the layer its array would stand on. */
export interface ArrayCandidate extends ScanTarget {
  readonly layer: Layer;
}

/** How an array is to be opened. */
export interface ArrayPlan {
  readonly assembly: Assembly<MemberDevice>;
  readonly level: Level;
  /** During a reshape that of after it. */
  readonly geometry: Geometry;
  /** By member index: members in sync, and those that are being rebuilt; null where there is none. */
  readonly devices: readonly (MemberDevice | null)[];
  /** By member index, for those that are being rebuilt: bytes of their data that are good. Null for all others. */
  readonly recoveredTo: readonly (number | null)[];
  /** By member index: it is being rebuilt, and lacks only what the bitmap marks. */
  readonly byBitmap: readonly boolean[];
  readonly spares: readonly MemberDevice[];
  /** Devices that take their places, which are empty, once the array is open for writing. */
  readonly returning: readonly Rebuilding<MemberDevice>[];
  /** All devices that were given and are not used, with the reason. */
  readonly leftOut: readonly LeftOut[];
  readonly bitmap: MemberBitmap | null;
  /** Two shapes in one: such an array is only read. */
  readonly reshape: ReshapePlan<MemberDevice> | null;
  readonly isReadOnly: boolean;
  /** The superblocks say that everything was written when the array was last used. */
  readonly isClean: boolean;
  /** A place has no member that is in sync. */
  readonly isDegraded: boolean;
}

/** What the user allows. */
export interface Permissions extends RaidOptions {
  /** Nothing may be written. */
  readonly isReadOnly: boolean;
  /** For RAID0 of unequal members whose superblocks do not say. */
  readonly layout?: Raid0LayoutOption;
  readonly report: (problem: Problem) => void;
}

/** How members are looked at that carry no superblock of md's own. */
export interface MemberFormat {
  /** Why a device is left out that has none: in words, to follow its name. */
  readonly noSuperblock: string;
  /** Null: there is none. Throws where it cannot be accepted. */
  readonly readSuperblock: (candidate: ArrayCandidate) => Promise<Superblock | null>;
  /** A bitmap that is made anew; null: it is read. */
  readonly newBitmap: MemberBitmap | null;
  /** What the format makes of the array beyond what its superblocks say. */
  readonly settle: (
    assembly: Assembly<MemberDevice>,
    bitmap: MemberBitmap | null,
    level: Level,
  ) => Assembly<MemberDevice>;
}

/**
 * Reads the superblocks of all devices and decides how their array is opened: with which members, and whether it may be
 * written. Writes nothing. What is left out, and why, is reported. Throws where no array can be opened.
 */
export async function planArray(
  candidates: readonly ArrayCandidate[],
  allowed: Permissions,
  format: MemberFormat = MD_FORMAT,
): Promise<ArrayPlan> {
  const { devices, unreadable, refusal } = await readMembers(candidates, allowed.uuid, format);
  if (devices.length === 0) throw refusal ?? nothingFound(unreadable, allowed.uuid);
  const { assembly: assembled, level, geometry } = assembleLevel(devices, allowed);
  checkBitmapPlaces(assembled);
  const { bitmap, isMissing } =
    format.newBitmap === null
      ? await findBitmap(candidates, assembled, allowed)
      : { bitmap: format.newBitmap, isMissing: false };
  const assembly = format.settle(assembled, bitmap, level);
  const { superblock } = assembly.newest;
  const isUsed = (name: string): boolean => assembly.rebuilding.some(({ member }) => member.name === name);
  const leftOut = [...unreadable.filter(({ name }) => !isUsed(name)), ...withReAdd(assembly, bitmap)];
  const isPresent = (index: number): boolean => (assembly.members[index] ?? null) !== null;
  // What is forced is not known to agree with the rest.
  const isClean = unsyncedRanges(superblock, bitmap).length === 0 && assembly.forced.length === 0;
  const reshape = planReshape(assembly, isClean);
  if (reshape === null && !level.survives(geometry, isPresent))
    throw tooFew(assembly, level, leftOut, refusal);
  const targetOf = (name: string): ScanTarget => candidates.find(({ source }) => source === name)!;
  const reason = await readOnlyReason({
    assembly,
    geometry,
    isClean,
    isForced: allowed.force === true,
    targetOf,
  });
  reportLeftOut(assembly, leftOut, allowed);
  const judgement = judge({ assembly, level, allowed, isClean, isBitmapMissing: isMissing, reason });
  if (judgement.message !== null)
    allowed.report({ severity: "warning", code: "CEV_DEGRADED", message: judgement.message });
  return {
    assembly,
    level,
    geometry,
    ...placesOf(assembly),
    spares: assembly.spares,
    returning: assembly.rebuilding.filter(({ isReturning }) => isReturning === true),
    leftOut,
    bitmap,
    reshape,
    isReadOnly: allowed.isReadOnly || !judgement.canWrite,
    isClean,
    isDegraded: assembly.missing.length > 0,
  };
}

const MD_FORMAT: MemberFormat = {
  noSuperblock: "has no md superblock",
  readSuperblock,
  newBitmap: null,
  settle: (assembly) => assembly,
};

interface Readable {
  readonly devices: MemberDevice[];
  readonly unreadable: LeftOut[];
  /** The first superblock that was there and could not be accepted. */
  readonly refusal: CevError | null;
}

async function readMembers(
  candidates: readonly ArrayCandidate[],
  uuid: string | undefined,
  format: MemberFormat,
): Promise<Readable> {
  const parsed = uuid === undefined ? null : parseUuid(uuid);
  const wanted = parsed === null ? null : formatUuid(parsed, 0);
  const devices: MemberDevice[] = [];
  const unreadable: LeftOut[] = [];
  let refusal: CevError | null = null;
  for (const candidate of candidates) {
    const { source, layer } = candidate;
    try {
      const superblock = await format.readSuperblock(candidate);
      if (superblock === null) unreadable.push({ name: source, index: null, reason: format.noSuperblock });
      else if (wanted !== null && superblock.arrayUuid !== wanted)
        unreadable.push({ name: source, index: null, reason: `belongs to array ${superblock.arrayUuid}` });
      else {
        const badBlocks = await readBadBlocks(candidate, superblock);
        devices.push({ name: source, layer, superblock, badBlocks });
      }
    } catch (error) {
      if (!isCevError(error)) throw error;
      refusal ??= error;
      unreadable.push({ name: source, index: null, reason: `cannot be used: ${formatError(error)}` });
    }
  }
  return { devices, unreadable, refusal };
}

/** Puts the array together; where that is forced and needed, with stale members. */
function assembleLevel(
  devices: readonly MemberDevice[],
  allowed: Permissions,
): { assembly: Assembly<MemberDevice>; level: Level; geometry: Geometry } {
  const plain = assemble(devices);
  const { level, geometry } = geometryOf(plain.newest, plain.members, allowed.layout);
  if (allowed.force !== true || !level.isRedundant) return { assembly: plain, level, geometry };
  const assembly = assemble(devices, {
    force: (isPresent) => level.survives(geometry, isPresent),
  });
  return { assembly, level, geometry };
}

function placesOf({
  members,
  rebuilding,
}: Assembly<MemberDevice>): Pick<ArrayPlan, "devices" | "recoveredTo" | "byBitmap"> {
  const devices = [...members];
  const recoveredTo = members.map((): number | null => null);
  const byBitmap = members.map(() => false);
  for (const one of rebuilding) {
    if (one.isReturning === true) continue;
    devices[one.index] = one.member;
    recoveredTo[one.index] = one.recoveredTo;
    byBitmap[one.index] = one.byBitmap;
  }
  return { devices, recoveredTo, byBitmap };
}

function withReAdd(
  { leftOut, stale, newest }: Assembly<MemberDevice>,
  bitmap: MemberBitmap | null,
): LeftOut[] {
  return leftOut.map((one) => {
    const member = stale.find(({ name }) => name === one.name);
    if (member === undefined) return one;
    return { ...one, canReAdd: canReAdd(member.superblock, newest.superblock, bitmap) };
  });
}

function reportLeftOut(
  assembly: Assembly<MemberDevice>,
  leftOut: readonly LeftOut[],
  { report }: Permissions,
): void {
  const title = titleOf(assembly);
  for (const { name, reason, canReAdd: isReAddable } of leftOut) {
    const remedy = isReAddable === true ? "; added again, it only gets what it missed" : "";
    const message = `${name} ${reason}: it is left out of ${title}${remedy}`;
    report({ severity: "warning", code: "CEV_DEGRADED", message, device: name });
  }
  const { eventCount } = assembly.newest.superblock;
  for (const { name, superblock } of assembly.forced)
    report({
      severity: "warning",
      code: "CEV_DEGRADED",
      message:
        `${name} is stale (its event count is ${superblock.eventCount}, the newest is ${eventCount}) and is taken nevertheless, ` +
        `because that is forced: what was written to ${title} since may be lost, or old and new be mixed; check what lies on it`,
      device: name,
    });
}

function nothingFound(leftOut: readonly LeftOut[], uuid: string | undefined): CevError {
  const what = uuid === undefined ? "no md array was found" : `no member of array ${uuid} was found`;
  const names = leftOut.map(({ name, reason }) => `${name} ${reason}`).join("; ");
  return new CevError("CEV_NOT_FOUND", leftOut.length === 0 ? what : `${what}: ${names}`);
}

/** Either every member has room for the bitmap or none: it is written to all. */
function checkBitmapPlaces({ newest, members, rebuilding }: Assembly<MemberDevice>): void {
  const hasBitmap = newest.superblock.bitmapOffsetSectors !== 0;
  for (const member of [...members, ...rebuilding.map((one) => one.member)]) {
    if (member === null || (member.superblock.bitmapOffsetSectors !== 0) === hasBitmap) continue;
    refuseField(
      member,
      "bitmapOffset",
      `${newest.name} has ${hasBitmap ? "a" : "no"} bitmap, ${member.name} ${hasBitmap ? "has none" : "has one"}`,
    );
  }
}

/** The bitmap of the newest member, or the next that can be read: every member has a copy. */
async function findBitmap(
  candidates: readonly ArrayCandidate[],
  { newest, members }: Assembly<MemberDevice>,
  allowed: Permissions,
): Promise<{ bitmap: MemberBitmap | null; isMissing: boolean }> {
  if (newest.superblock.bitmapOffsetSectors === 0) return { bitmap: null, isMissing: false };
  let stale: MemberBitmap | null = null;
  for (const member of [newest, ...members.filter((other) => other !== newest)]) {
    const target = candidates.find(({ source }) => source === member?.name);
    if (member === null || target === undefined) continue;
    try {
      const { superblock } = member;
      const found = await readBitmap(target, { ...superblock, ...shapeOf(newest.superblock) });
      if (found !== null && (found.head.state & BitmapState.stale) === 0)
        return { bitmap: found, isMissing: false };
      stale ??= found;
    } catch (error) {
      if (!isCevError(error)) throw error;
      allowed.report({
        severity: "warning",
        code: "CEV_BAD_METADATA",
        message: `the bitmap of ${member.name} cannot be used: ${formatError(error)}; another member's copy is tried`,
        device: member.name,
      });
    }
  }
  return { bitmap: stale, isMissing: stale === null };
}

/** What says how large the sync space is: the newest superblock's holds, also for a member that did not get it yet. */
function shapeOf({ sizeSectors, memberCount, layout, chunkSectors }: Superblock): Partial<Superblock> {
  return { sizeSectors, memberCount, layout, chunkSectors };
}
