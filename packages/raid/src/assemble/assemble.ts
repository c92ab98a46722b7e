import { FeatureFlag } from "../metadata/superblock-features.ts";
import { Role, ownRole, roleCount } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import {
  isOutdated,
  refuseForeign,
  refuseOtherArray,
  refuseSplit,
  sameRole,
  twoJournals,
} from "./conflicts.ts";
import { apartFrom, standingOf } from "./standing.ts";

const SECTOR = 512;

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
  /** It can come back by the bitmap: only what it missed is copied. Not judged where it is absent. */
  readonly canReAdd?: boolean;
}

/** A member that holds part of what it should. */
export interface Rebuilding<C extends Candidate> {
  readonly member: C;
  readonly index: number;
  /** Bytes of its data, from the begin, that are good. */
  readonly recoveredTo: number;
  /** The rest is good, too, but for what the bitmap marks. */
  readonly byBitmap: boolean;
  /** The superblocks do not have it in its place: it takes that once the array is open for writing. */
  readonly isReturning?: boolean;
}

/** What belongs together, by the indices of the members. */
export interface Assembly<C extends Candidate> {
  /** The one with the most events: what it says holds. */
  readonly newest: C;
  /** By member index; null where no member is in sync. */
  readonly members: readonly (C | null)[];
  /** Places without a member that is in sync. */
  readonly missing: readonly number[];
  /** Members for some of those places. */
  readonly rebuilding: readonly Rebuilding<C>[];
  /** Devices without a place, newest first. */
  readonly spares: readonly C[];
  readonly journal: C | null;
  /** Members that are stale and were taken because that was forced. */
  readonly forced: readonly C[];
  /** Members that were active once and have missed something. */
  readonly stale: readonly C[];
  readonly leftOut: readonly LeftOut[];
}

/** How to put an array together. */
export interface AssembleOptions {
  /**
   * Where it is given, stale members are taken, the freshest first, until it says that the array can run: what was
   * written since they fell behind is lost where they have to stand in.
   */
  readonly force?: (isPresent: (index: number) => boolean) => boolean;
}

/**
 * Puts an array together from the superblocks of its members, in any order: those of the newest event count, or one
 * before it, which are current in the eyes of the newest. Throws `CEV_AMBIGUOUS` where it is not certain what belongs
 * together. How many may be missing is not judged here.
 */
export function assemble<C extends Candidate>(
  candidates: readonly C[],
  options: AssembleOptions = {},
): Assembly<C> {
  refuseForeign(candidates);
  const newest = candidates.reduce((best, candidate) => (isNewer(candidate, best) ? candidate : best));
  refuseOtherArray(candidates, newest);
  const found = sort(candidates, newest);
  refuseSplit(found.members);
  const { members, leftOut } = found;
  const forced = options.force === undefined ? [] : forceStale(found, options.force);
  const missing = members.flatMap((member, index) => (member === null ? [index] : []));
  const rebuilding = found.rebuilding.filter(({ index }) => members[index] === null);
  return {
    newest,
    members,
    missing,
    rebuilding,
    spares: found.spares,
    journal: found.journal,
    forced,
    stale: found.stale.filter((member) => !forced.includes(member)),
    leftOut: leftOut.filter(({ name }) => !forced.some((member) => member.name === name)),
  };
}

/** What `sort` makes of the candidates. */
interface Sorted<C extends Candidate> {
  readonly members: (C | null)[];
  readonly rebuilding: Rebuilding<C>[];
  readonly spares: C[];
  readonly stale: C[];
  readonly leftOut: LeftOut[];
  journal: C | null;
}

function sort<C extends Candidate>(candidates: readonly C[], newest: C): Sorted<C> {
  const members = new Array<C | null>(roleCount(newest.superblock)).fill(null);
  const found: Sorted<C> = { members, rebuilding: [], spares: [], stale: [], leftOut: [], journal: null };
  const byPlace = new Map<number, C>();
  const outdated: { candidate: C; reason: string }[] = [];
  for (const candidate of [...candidates].sort(byEventCount)) {
    const standing = standingOf(candidate, newest);
    const { name, superblock } = candidate;
    switch (standing.is) {
      case "in sync":
      case "rebuilding": {
        const { role } = standing;
        const other = byPlace.get(role);
        if (other !== undefined) throw sameRole(other, candidate, role);
        byPlace.set(role, candidate);
        if (standing.is === "in sync") members[role] = candidate;
        else found.rebuilding.push(rebuildingOf(candidate, role));
        break;
      }
      case "spare":
        if (isTooSmall(superblock, newest.superblock))
          found.leftOut.push({ name, index: null, reason: "is a spare with too little room" });
        else found.spares.push(candidate);
        break;
      case "journal":
        if (found.journal !== null) throw twoJournals(found.journal, candidate);
        found.journal = candidate;
        break;
      case "faulty":
        found.leftOut.push({ name, index: null, reason: standing.reason });
        break;
      case "replacement":
        found.leftOut.push({ name, index: ownRole(superblock), reason: standing.reason });
        break;
      case "stale":
        outdated.push({ candidate, reason: standing.reason });
    }
  }
  const current = [...byPlace.values()];
  for (const { candidate, reason } of outdated) {
    const { name, superblock } = candidate;
    const apart = apartFrom(candidate, current);
    // What it held when the array had another shape is of no use.
    if (apart === null && !isOutdated(superblock, newest.superblock)) found.stale.push(candidate);
    const why = apart === null ? reason : `${reason}, and ${apart}`;
    found.leftOut.push({ name, index: ownRole(superblock), reason: why });
  }
  return found;
}

/** The array has grown since the spare was added. */
function isTooSmall(spare: Superblock, { level, sizeSectors }: Superblock): boolean {
  return level > 0 && spare.dataSizeSectors < sizeSectors;
}

function rebuildingOf<C extends Candidate>(member: C, index: number): Rebuilding<C> {
  const { recoverySectors, features } = member.superblock;
  const byBitmap = (features & FeatureFlag.recoveryBitmap) !== 0;
  return { member, index, recoveredTo: recoverySectors * SECTOR, byBitmap };
}

/** Takes the freshest stale members for places that nobody has, until the array can run; none where that does not help. */
function forceStale<C extends Candidate>(
  { members, stale }: Sorted<C>,
  canRun: (isPresent: (index: number) => boolean) => boolean,
): C[] {
  const forced: C[] = [];
  const isPresent = (index: number): boolean => (members[index] ?? null) !== null;
  for (const candidate of stale) {
    if (canRun(isPresent)) break;
    const role = ownRole(candidate.superblock);
    // A rebuild that was cut off holds less than any whole member.
    if (isPresent(role) || (candidate.superblock.features & FeatureFlag.recovery) !== 0) continue;
    members[role] = candidate;
    forced.push(candidate);
  }
  if (canRun(isPresent)) return forced;
  for (const candidate of forced) members[ownRole(candidate.superblock)] = null;
  return [];
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
