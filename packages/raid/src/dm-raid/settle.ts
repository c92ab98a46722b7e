import type { MemberDevice } from "../array/member.ts";
import { isStale } from "../array/unsynced-ranges.ts";
import type { Assembly } from "../assemble/assemble.ts";
import { canReAdd } from "../assemble/re-add.ts";
import { apartFrom } from "../assemble/standing.ts";
import { bitCount, hasBit } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import { ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";

/** What it depends on what dm-raid makes of an array. */
export interface Settling {
  readonly bitmap: MemberBitmap | null;
  /** Members that are new among the others. */
  readonly replaced: readonly MemberDevice[];
  readonly isParity: boolean;
}

/** What dm-raid makes of an array beyond what its superblocks say. */
export interface Settled {
  readonly assembly: Assembly<MemberDevice>;
  /** Members were out already, and what was being written then cannot be told from what they missed. */
  readonly isUncertain: boolean;
}

/**
 * dm-raid takes back members that missed something, and those that are new: they are rebuilt. And it does not say in its
 * superblocks that an array is being written, so the bits of the bitmap do: where all members were in use, what is marked
 * may differ.
 */
export function settleDmRaid(
  assembly: Assembly<MemberDevice>,
  { bitmap, replaced, isParity }: Settling,
): Settled {
  const { members, stale } = assembly;
  const resyncSectors = syncedSectors(assembly);
  const newest = { ...assembly.newest, superblock: { ...assembly.newest.superblock, resyncSectors } };
  const current = members.filter((member) => member !== null);
  const rebuilding = [...assembly.rebuilding];
  const isFree = (index: number): boolean =>
    (members[index] ?? null) === null && rebuilding.every((one) => one.index !== index);
  for (const member of stale) {
    const index = ownRole(member.superblock);
    // What was written to it apart from the others must not be lost unasked.
    if (!isFree(index) || apartFrom(member, current) !== null) continue;
    const byBitmap = canReAdd(member.superblock, newest.superblock, bitmap);
    rebuilding.push({ member, index, recoveredTo: 0, byBitmap, isReturning: true });
  }
  for (const member of replaced) {
    const index = member.superblock.deviceNumber;
    if (isFree(index)) rebuilding.push({ member, index, recoveredTo: 0, byBitmap: false, isReturning: true });
  }
  const isTaken = (name: string): boolean => rebuilding.some(({ member }) => member.name === name);
  const settled = {
    ...assembly,
    newest,
    rebuilding,
    stale: stale.filter(({ name }) => !isTaken(name)),
    leftOut: assembly.leftOut.filter(({ name }) => !isTaken(name)),
  };
  if (!hasMarks(bitmap, newest.superblock)) return { assembly: settled, isUncertain: false };
  if (isParity && wasDegraded(assembly)) return { assembly: settled, isUncertain: resyncSectors === null };
  // Also below the place that a resync had reached: md's own rule knows it to be 0 while anything is written.
  const superblock = { ...newest.superblock, resyncSectors: 0 };
  return { assembly: { ...settled, newest: { ...newest, superblock } }, isUncertain: false };
}

/**
 * How far the members are known to agree; null: everywhere. Of those of one age the one counts that claims least: an
 * update may have been cut short that only took back what was known.
 */
function syncedSectors({ newest, members }: Assembly<MemberDevice>): number | null {
  let least = newest.superblock.resyncSectors;
  for (const member of members) {
    if (member?.superblock.eventCount !== newest.superblock.eventCount) continue;
    const { resyncSectors } = member.superblock;
    if (resyncSectors !== null && resyncSectors < (least ?? Infinity)) least = resyncSectors;
  }
  return least;
}

function hasMarks(bitmap: MemberBitmap | null, newest: Superblock): boolean {
  if (bitmap === null) return false;
  if (isStale(bitmap, newest)) return true;
  for (let index = 0; index < bitCount(bitmap.head); index++) if (hasBit(bitmap.bits, index)) return true;
  return false;
}

/** A member had failed or was being rebuilt when the superblocks were written last: then bits stay. */
function wasDegraded({ newest, rebuilding }: Assembly<MemberDevice>): boolean {
  return rebuilding.length > 0 || newest.superblock.roles.some((role, index) => role !== index);
}
