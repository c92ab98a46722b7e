import { Op, isCevError, request } from "@cev/core";
import type { Member } from "../array/member.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
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
    const isZero = hasZeroes && isZeroPiece(bytes, at, end);
    let next = Math.min(end, at + PIECE_LENGTH);
    while (next < end && (hasZeroes && isZeroPiece(bytes, next, end)) === isZero)
      next = Math.min(end, next + PIECE_LENGTH);
    const op = isZero ? Op.writeZeroes : Op.write;
    const part = isZero ? null : bytes.subarray(at, next);
    try {
      await request(member.target, array.environment, op, offset + at, next - at, part);
    } catch (error) {
      if (!isCevError(error) || error.code === "CEV_NO_SPACE") throw error;
      array.array.failMember(member, error);
    }
    at = next;
  }
}

function isZeroPiece(bytes: Uint8Array, start: number, end: number): boolean {
  const length = Math.min(PIECE_LENGTH, end - start);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, length / 4);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return true;
}
