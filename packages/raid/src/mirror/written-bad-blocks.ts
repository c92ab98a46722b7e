import { IoFlag, Op, isCevError, request } from "@cev/core";
import type { Io } from "@cev/core";
import type { MemberRun } from "../array/member-run.ts";
import type { Member } from "../array/member.ts";
import { overlaps } from "../array/unsynced-ranges.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import { memberRuns } from "./mirror-runs.ts";

/** True where some member has ranges that are not to be read. */
export function hasBadBlocks(members: readonly Member[]): boolean {
  for (let index = 0; index < members.length; index++) if (members[index]!.badBlocks.length > 0) return true;
  return false;
}

/** Which of the places that a request has written hold bad blocks. */
export function writtenBadBlocks(array: MirrorEngine, io: Io): MemberRun[] {
  // A discard leaves nothing that could be read.
  if (io.op === Op.discard && !array.hasWriteZeroes) return [];
  return memberRuns(array.map, io.offset, io.length).filter(({ member: index, start, end }) => {
    const member = array.members[index]!;
    return member.takesWrites && overlaps(member.badBlocks, start, end);
  });
}

/**
 * All copies of a range have been written: what of it were bad blocks may be read from now on. First it is made durable:
 * a log that has forgotten them must not survive a power cut which the data does not.
 */
export async function clearBadBlocks(
  array: MirrorEngine,
  io: Io,
  written: readonly MemberRun[],
): Promise<void> {
  for (const { member: index, start, end } of written) {
    const member = array.members[index]!;
    try {
      const canFlush = member.device!.layer.support.flush !== "none";
      if (canFlush && (io.flags & IoFlag.fua) === 0)
        await request(member.target, array.environment, Op.flush, 0, 0);
      member.clearBadBlock(start, end);
    } catch (error) {
      if (!isCevError(error)) throw error;
      array.array.failMember(member, error);
    }
  }
}
