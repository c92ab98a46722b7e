import { CevError } from "@cev/core";
import type { Environment, Json, NamedLayer, Problem } from "@cev/core";
import { layerOfPlan } from "../assemble-array.ts";
import type { AssembledArray } from "../assemble-array.ts";
import type { MemberDevice } from "../array/member.ts";
import { planArray } from "../assemble/plan.ts";
import type { ArrayPlan, MemberFormat } from "../assemble/plan.ts";
import { BITMAP_HEAD_LENGTH, BitmapState, bitmapLength } from "../metadata/bitmap.ts";
import type { BitmapHead } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import { syncSectors } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import type { RaidOptions } from "../options.ts";
import { readDmMembers } from "./dm-members.ts";
import type { DmMember } from "./dm-members.ts";
import type { DmRaidOption } from "./dm-raid-option.ts";
import { DM_BITMAP_OFFSET, blankDmSuperblock } from "./dm-superblock.ts";
import type { DmShape } from "./dm-superblock.ts";
import { settleDmRaid } from "./settle.ts";

// As the kernel has it where nobody asks for another.
const DAEMON_SLEEP_SECONDS = 5;

/** What `assembleDmRaid` is given. */
export interface AssembleDmRaidOptions {
  readonly environment: Environment;
  readonly dmRaid: DmRaidOption;
  readonly lowers: readonly NamedLayer[];
  readonly options: Pick<RaidOptions, "degraded" | "force">;
  /** Nothing is written, not one byte. */
  readonly isReadOnly: boolean;
  /** Writing with members missing is allowed. */
  readonly canWriteDegraded: boolean;
  /** For what does not stop the work. */
  readonly report: (problem: Problem) => void;
}

/**
 * Puts the array of an LVM volume together. Writes nothing. Throws `CEV_INVALID`, `CEV_NOT_FOUND`, `CEV_AMBIGUOUS`,
 * `CEV_DEGRADED`, `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE` where none can be opened.
 */
export async function assembleDmRaid(given: AssembleDmRaidOptions): Promise<AssembledArray> {
  const { environment, dmRaid, lowers, options, report } = given;
  const members = await readDmMembers(dmRaid, lowers, environment);
  const isNew = isNewArray(members, dmRaid);
  const format: MemberFormat = {
    noSuperblock: "has no dm-raid superblock",
    readSuperblock({ source }) {
      const member = members.find(({ candidate }) => candidate.source === source)!;
      if (isNew) return Promise.resolve(newSuperblock(member.shape, dmRaid));
      // What stands on a member that is to be rebuilt is of no account.
      const found = isReplaced(member, dmRaid) ? null : member.superblock;
      return found instanceof CevError ? Promise.reject(found) : Promise.resolve(found);
    },
    newBitmap: isNew ? newBitmap(newSuperblock(members[0]!.shape, dmRaid), dmRaid) : null,
    settle(assembly, bitmap, level) {
      if (isNew) return assembly;
      const { superblock } = assembly.newest;
      const replaced = members.filter((member) => isReplaced(member, dmRaid));
      const settled = settleDmRaid(assembly, {
        bitmap,
        replaced: replaced.map((member) => replacedMember(member, superblock)),
        isParity: level.family === "parity",
      });
      if (settled.isUncertain) report(uncertainty(superblock));
      return settled.assembly;
    },
  };
  const canWrite = members.every(({ candidate }) => candidate.layer.support.write !== "none");
  const allowed = {
    degraded: options.degraded === true || given.canWriteDegraded,
    force: options.force === true,
    isReadOnly: given.isReadOnly || !canWrite,
    report,
  };
  const candidates = members.map(({ candidate }) => candidate);
  const plan = await planArray(candidates, allowed, format);
  const stackOptions = { dmRaid: describeOption(dmRaid, plan) };
  const layer = layerOfPlan(plan, { environment, report, isForced: options.force === true, stackOptions });
  return { layer, plan };
}

/** True where LVM has just made the volume: no member has anything. Throws where only those have none that are there. */
function isNewArray(members: readonly DmMember[], { memberCount, name, type }: DmRaidOption): boolean {
  if (members.some(({ superblock }) => superblock !== null)) return false;
  if (members.length === memberCount) return true;
  throw new CevError(
    "CEV_NOT_FOUND",
    `none of the members of ${name ?? type} that are there has a dm-raid superblock, and ${memberCount - members.length} are missing`,
    { hint: "give the other members too" },
  );
}

/** As the kernel begins: an image that LVM adds to one that was none of a RAID before holds nothing yet. */
function newSuperblock(shape: DmShape, { nosync, rebuild = [] }: DmRaidOption): Superblock {
  const blank = blankDmSuperblock(shape);
  const isAdded = rebuild.includes(shape.position);
  const superblock = isAdded ? { ...blank, features: blank.features | FeatureFlag.recovery } : blank;
  // Q is never right by chance: RAID6 is always synced.
  return nosync === true && superblock.level !== 6 ? { ...superblock, resyncSectors: null } : superblock;
}

/**
 * True for a member that LVM has put among others that are in use: those are rebuilt from nothing, and those only. With a
 * superblock of this volume it has been in use since, and LVM has left the mark in its metadata.
 */
function isReplaced({ shape, superblock }: DmMember, { rebuild = [] }: DmRaidOption): boolean {
  return rebuild.includes(shape.position) && (superblock === null || superblock instanceof CevError);
}

function replacedMember({ candidate, shape }: DmMember, newest: Superblock): MemberDevice {
  const { roles, features } = newest;
  const superblock = { ...blankDmSuperblock(shape), roles, features: features | FeatureFlag.recovery };
  return { name: candidate.source, layer: candidate.layer, superblock };
}

/** The bitmap of a new array: everything is marked. Throws `CEV_INVALID` where rmeta has no room for it. */
function newBitmap(superblock: Superblock, { regionSize, metadataSize }: DmRaidOption): MemberBitmap {
  const isSynced = superblock.resyncSectors === null;
  const head: BitmapHead = {
    arrayUuid: superblock.arrayUuid,
    eventCount: 0n,
    clearedEventCount: 0n,
    syncSectors: syncSectors(superblock),
    state: isSynced ? 0 : BitmapState.stale,
    chunkSize: regionSize,
    daemonSleepSeconds: DAEMON_SLEEP_SECONDS,
    writeBehind: 0,
    reservedSectors: 0,
  };
  const length = bitmapLength(head);
  if (DM_BITMAP_OFFSET + length > metadataSize)
    throw new CevError(
      "CEV_INVALID",
      `a bitmap of ${length} bytes does not fit into ${metadataSize} of rmeta`,
    );
  return { head, bits: new Uint8Array(length - BITMAP_HEAD_LENGTH).fill(isSynced ? 0 : 0xff) };
}

function uncertainty({ arrayName }: Superblock): Problem {
  return {
    severity: "warning",
    code: "CEV_DEGRADED",
    message:
      `array ${arrayName} was degraded when it was used last, and dm-raid does not record whether it was shut down cleanly then: ` +
      "after a crash, what was being written may read wrong where a member is missing",
  };
}

/** The option, with the members as they are among the lowers of the layer: those that return are the last. */
function describeOption(
  option: DmRaidOption,
  { devices, returning }: ArrayPlan,
): { readonly [key: string]: Json } {
  let next = 0;
  const members = devices.map((device) => (device === null ? null : next++));
  for (const { index } of returning) members[index] = next++;
  const { type, memberCount, regionSize, metadataSize, memberSize, size } = option;
  const { chunkSize, copies, rebuild, nosync, name } = option;
  return {
    type,
    memberCount,
    members,
    regionSize,
    metadataSize,
    memberSize,
    size,
    ...(chunkSize === undefined ? {} : { chunkSize }),
    ...(copies === undefined ? {} : { copies }),
    ...(rebuild === undefined ? {} : { rebuild }),
    ...(nosync === undefined ? {} : { nosync }),
    ...(name === undefined ? {} : { name }),
  };
}
