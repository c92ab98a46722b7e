import { CevError, Op, isCevError, request } from "@cev/core";
import { allEnded } from "../array/all-ended.ts";
import { readFailureOf } from "../array/failure.ts";
import { lendBuffer } from "../array/lend-buffer.ts";
import type { Member } from "../array/member.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import type { CopyPlace } from "./copy-choice.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import { readPiece } from "./piece-repair.ts";
import { writeSparse } from "./sparse-write.ts";

/** What of the array a part of a member holds. */
interface Part {
  /** Of the array. */
  readonly start: number;
  readonly end: number;
  /** Of the member's data. */
  readonly at: number;
}

/**
 * Writes one piece of every member that is being rebuilt, at most `syncStep` long: of one after the other, with the part
 * of the array that it holds locked, so that no write is half done. In RAID1 they all get the same.
 */
export async function recoverCopies(array: MirrorEngine, range: ByteRange): Promise<void> {
  const targets = array.members.filter(
    (member) => member.state === "rebuilding" && member.recoveredTo < range.end,
  );
  if (array.map.chunkSize === 0) return recoverMembers(array, range, targets);
  for (const target of targets) await recoverMembers(array, range, [target]);
}

/** `targets`: they hold the same there. */
async function recoverMembers(
  array: MirrorEngine,
  range: ByteRange,
  targets: readonly Member[],
): Promise<void> {
  const [first] = targets;
  const parts = first === undefined ? [] : partsOf(array, first, range);
  if (parts.length === 0) return;
  // One lock for all parts: where chunks are short they are many, near to one another.
  const start = Math.min(...parts.map((part) => part.start));
  const end = Math.max(...parts.map((part) => part.end));
  await array.locked({ start, end }, async () => {
    const buffer = await lendBuffer(array.buffers, range.end - range.start);
    try {
      const bytes = buffer.bytes.subarray(0, range.end - range.start);
      await allEnded(readsOf(array, parts).map((read) => readParts(array, read, bytes, range.start)));
      await allEnded(targets.map((member) => writeParts(array, member, parts, bytes, range.start)));
    } finally {
      array.buffers.release(buffer);
    }
  });
}

/** In rising order of the member's data. What belongs to no copy is left out. */
function partsOf({ map }: MirrorEngine, member: Member, range: ByteRange): Part[] {
  const parts: Part[] = [];
  const end = Math.min(range.end, map.memberSize);
  for (let at = range.start; at < end;) {
    const length = Math.min(map.memberRest(at), end - at);
    const start = map.arrayOffsetOf(member.index, at);
    if (start >= 0) parts.push({ start, end: start + length, at });
    at += length;
  }
  return parts;
}

/** Parts that lie one after the other on the member they are read from, as on the one they are for. */
interface PartsRead {
  readonly member: Member | null;
  /** Of the member's data. */
  readonly offset: number;
  readonly parts: Part[];
  length: number;
}

function readsOf({ choice, map, members }: MirrorEngine, parts: readonly Part[]): PartsRead[] {
  const reads: PartsRead[] = [];
  for (const part of parts) {
    const length = part.end - part.start;
    const place: CopyPlace = { offset: part.start, tried: [], copy: -1, memberOffset: 0 };
    // Without a copy that can be read all together: each piece may have one.
    const member = choice.choose(place, length) ? members[map.memberOf(part.start, place.copy)]! : null;
    const last = reads.at(-1);
    const goesOn =
      last !== undefined &&
      last.member !== null &&
      last.member === member &&
      last.offset + last.length === place.memberOffset &&
      last.parts[0]!.at + last.length === part.at;
    if (goesOn) {
      last.parts.push(part);
      last.length += length;
    } else {
      reads.push({ member, offset: place.memberOffset, parts: [part], length });
    }
  }
  return reads;
}

/** `bytes` begins at `start` of the data of the member that is rebuilt. */
async function readParts(
  array: MirrorEngine,
  { member, offset, parts, length }: PartsRead,
  bytes: Uint8Array,
  start: number,
): Promise<void> {
  const from = parts[0]!.at - start;
  if (member !== null) {
    try {
      const into = bytes.subarray(from, from + length);
      await request(member.target, array.environment, Op.read, member.dataStart + offset, length, into);
      return;
    } catch (error) {
      if (!isCevError(error) || readFailureOf(error) === "request") throw error;
      if (readFailureOf(error) === "lost") array.array.failMember(member, error);
    }
  }
  for (const part of parts) await readPieces(array, part, bytes.subarray(part.at - start));
}

/** Piece by piece, from whichever copy has it; what a member could not read is written back to it. */
async function readPieces(array: MirrorEngine, { start, end }: ByteRange, bytes: Uint8Array): Promise<void> {
  for (let at = start; at < end;) {
    const next = Math.min(end, at - (at % PIECE_LENGTH) + PIECE_LENGTH);
    await readPiece(array, { start: at, end: next }, bytes.subarray(at - start, next - start));
    at = next;
  }
}

async function writeParts(
  array: MirrorEngine,
  member: Member,
  parts: readonly Part[],
  bytes: Uint8Array,
  start: number,
): Promise<void> {
  const runs: { start: number; end: number }[] = [];
  for (const part of parts) {
    const from = part.at - start;
    const length = part.end - part.start;
    const last = runs.at(-1);
    if (last?.end === from) last.end += length;
    else runs.push({ start: from, end: from + length });
  }
  for (const run of runs) await writeSparse(array, bytes, run, { member, offset: member.dataStart + start });
  if (!member.takesWrites)
    throw new CevError("CEV_DEGRADED", `${member.name} failed while it was rebuilt`, { layer: array.name });
}
