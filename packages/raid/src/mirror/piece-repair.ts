import { CevError, Op, isCevError, request } from "@cev/core";
import type { Io } from "@cev/core";
import { cancelled, readFailureOf } from "../array/failure.ts";
import { lendBuffer } from "../array/lend-buffer.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import type { MirrorEngine } from "./mirror-engine.ts";

/** A copy that could not be read. */
export interface UnreadCopy {
  readonly copy: number;
  readonly error: CevError | null;
}

/**
 * Fulfils a read that lies within one piece and one of whose copies could not be read: under the lock of the piece,
 * from another copy, and that one is written back. Rejects with the request's error.
 */
export async function readAndRepair(array: MirrorEngine, io: Io, copy: number): Promise<void> {
  const error = io.error;
  const start = io.offset - (io.offset % PIECE_LENGTH);
  const piece = { start, end: Math.min(start + PIECE_LENGTH, array.size) };
  await array.locked(piece, async () => {
    if (io.isCancelRequested) throw cancelled(io, array.name);
    const buffer = await lendBuffer(array.buffers, piece.end - piece.start);
    try {
      const bytes = buffer.bytes.subarray(0, piece.end - piece.start);
      await readPiece(array, piece, bytes, [{ copy, error }]);
      const from = io.offset - start;
      io.data.set(bytes.subarray(from, from + io.length), io.dataOffset);
    } finally {
      array.buffers.release(buffer);
    }
  });
}

/**
 * For the holder of its lock: reads one piece, which lies together on every member, from any copy but those that are
 * known not to be readable, and writes it back to those.
 */
export async function readPiece(
  array: MirrorEngine,
  piece: ByteRange,
  bytes: Uint8Array,
  known: readonly UnreadCopy[] = [],
): Promise<void> {
  const unread = [...known];
  await readAnyCopy(array, piece, bytes, unread);
  await writeBack(array, piece, bytes, unread);
}

/** Reads a range, which lies together on every member, from the first copy that can be; the others are added to `unread`. */
export async function readAnyCopy(
  array: MirrorEngine,
  range: ByteRange,
  bytes: Uint8Array,
  unread: UnreadCopy[],
): Promise<void> {
  const { map, members, environment } = array;
  const length = range.end - range.start;
  for (let copy = 0; copy < map.copyCount; copy++) {
    const member = members[map.memberOf(range.start, copy)]!;
    const at = map.memberOffsetOf(range.start, copy);
    if (!member.canRead(at, at + length) || unread.some((one) => one.copy === copy)) continue;
    try {
      await request(member.target, environment, Op.read, member.dataStart + at, length, bytes);
      return;
    } catch (error) {
      if (!isCevError(error) || readFailureOf(error) === "request") throw error;
      if (readFailureOf(error) === "lost") array.array.failMember(member, error);
      unread.push({ copy, error });
    }
  }
  throw unreadable(array, range, unread);
}

/**
 * A sector that cannot be read is often given a new place when it is written; a member where it cannot be read even
 * then is failed.
 */
export async function writeBack(
  array: MirrorEngine,
  piece: ByteRange,
  bytes: Uint8Array,
  unread: readonly UnreadCopy[],
): Promise<void> {
  const { map, members, environment } = array;
  const length = piece.end - piece.start;
  for (const { copy } of unread) {
    const member = members[map.memberOf(piece.start, copy)]!;
    const at = map.memberOffsetOf(piece.start, copy);
    if (!array.array.canRepair || !member.canRead(at, at + length)) continue;
    const offset = member.dataStart + at;
    try {
      await request(member.target, environment, Op.write, offset, length, bytes);
      // Not from the pool: who waits for a buffer while holding another may wait for ever.
      await request(member.target, environment, Op.read, offset, length, new Uint8Array(length));
    } catch (error) {
      if (!isCevError(error)) throw error;
      array.array.failMember(member, error);
    }
  }
}

function unreadable(array: MirrorEngine, { start, end }: ByteRange, unread: readonly UnreadCopy[]): CevError {
  const { map, members } = array;
  const names = unread.map(({ copy }) => members[map.memberOf(start, copy)]!.name).join(" and ");
  const who = unread.length === 0 ? "no member has" : `${names} cannot read, and no other has`;
  return new CevError("CEV_DEGRADED", `${who} bytes ${start} to ${end} of the array`, {
    layer: array.name,
    cause: unread.at(-1)?.error ?? undefined,
  });
}
