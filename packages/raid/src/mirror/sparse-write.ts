import { Op, isCevError, request } from "@cev/core";
import type { Member } from "../array/member.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { isZero } from "./compare.ts";
import type { MirrorEngine } from "./mirror-engine.ts";

/** Where a copy is written. */
export interface CopyTarget {
  readonly member: Member;
  /** Of the device, where `bytes` begins. */
  readonly offset: number;
}

/**
 * Writes a part of `bytes` to a member; what is all zeroes as write-zeroes where the member does that by itself, so that
 * a sparse image stays sparse. A member that does not take it is failed; one that is full rejects.
 */
export async function writeSparse(
  array: MirrorEngine,
  bytes: Uint8Array,
  { start, end }: ByteRange,
  { member, offset }: CopyTarget,
): Promise<void> {
  const hasZeroes = member.device?.layer.support.writeZeroes === "native";
  for (let at = start; at < end && member.takesWrites;) {
    const { next, isHole } = hasZeroes
      ? nextRun(array, bytes, { start: at, end })
      : { next: end, isHole: false };
    const op = isHole ? Op.writeZeroes : Op.write;
    const part = isHole ? null : bytes.subarray(at, next);
    try {
      await request(member.target, array.environment, op, offset + at, next - at, part);
    } catch (error) {
      if (!isCevError(error) || error.code === "CEV_NO_SPACE") throw error;
      array.array.failMember(member, error);
    }
    at = next;
  }
}

/** How far from `start` on there are only pieces of zeroes, or only others. Mostly that is all of it. */
function nextRun(
  { buffers }: MirrorEngine,
  bytes: Uint8Array,
  { start, end }: ByteRange,
): { readonly next: number; readonly isHole: boolean } {
  if (isZero(buffers, bytes, { start, end })) return { next: end, isHole: true };
  const isHoleAt = (at: number): boolean =>
    isZero(buffers, bytes, { start: at, end: Math.min(end, at + PIECE_LENGTH) });
  const isHole = isHoleAt(start);
  let next = start + PIECE_LENGTH;
  while (next < end && isHoleAt(next) === isHole) next += PIECE_LENGTH;
  return { next: Math.min(next, end), isHole };
}
