import { CevError, Op, isCevError, request } from "@cev/core";
import { allEnded } from "../array/all-ended.ts";
import { readFailureOf } from "../array/failure.ts";
import { lendBuffer } from "../array/lend-buffer.ts";
import type { Member } from "../array/member.ts";
import type { SyncWay } from "../array/personality.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { isSame } from "./compare.ts";
import { isWriteMostly } from "./copy-choice.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import { writeBack } from "./piece-repair.ts";
import type { UnreadCopy } from "./piece-repair.ts";
import { writeSparse } from "./sparse-write.ts";
import { hasBadBlocks } from "./written-bad-blocks.ts";

/** One copy of a range that lies together on every member, as it was read. */
interface Copy {
  readonly copy: number;
  readonly member: Member;
  /** Of the device. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * For the holder of the range's lock: compares the copies of a range of the array, at most `syncStep` long, and unless
 * that is all that is asked for writes the first where another differs. Resolves with the number of bytes, in whole
 * pieces, that were not the same on all members.
 */
export async function syncCopies(array: MirrorEngine, range: ByteRange, way: SyncWay): Promise<number> {
  const counts = await allEnded(partsOf(array, range).map((part) => syncPart(array, part, way)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * For the holder of the range's lock: makes all copies hold what these members hold. Rejects where that cannot be.
 */
export async function equaliseTo(
  array: MirrorEngine,
  range: ByteRange,
  sources: ReadonlySet<Member>,
): Promise<void> {
  for (const part of partsOf(array, range))
    for (let start = part.start; start < part.end; start += array.syncStep) {
      const piece = { start, end: Math.min(part.end, start + array.syncStep) };
      if (placesOf(array, piece).some(({ member }) => sources.has(member)))
        await syncPart(array, piece, "repair", sources);
    }
}

/** A range cut where it does not lie together on every member, and where the bad blocks of one begin or end. */
function partsOf(array: MirrorEngine, { start, end }: ByteRange): ByteRange[] {
  const parts: ByteRange[] = [];
  for (let at = start; at < end;) {
    const next = Math.min(end, at + array.map.chunkRest(at));
    const part = { start: at, end: next };
    if (hasBadBlocks(array.members)) parts.push(...cutAtBadBlocks(array, part));
    else parts.push(part);
    at = next;
  }
  return parts;
}

/** Each part can be read from a member all together, or not at all: what is good beside a bad block is synced too. */
function cutAtBadBlocks(array: MirrorEngine, part: ByteRange): ByteRange[] {
  const { blockSize } = array;
  const cuts = new Set([part.start, part.end]);
  for (const { member, at } of placesOf(array, part)) {
    for (const bad of member.badBlocks) {
      // A device that writes longer blocks only cannot read a part of one either.
      const from = part.start + bad.start - (bad.start % blockSize) - at;
      const to = part.start + Math.ceil(bad.end / blockSize) * blockSize - at;
      for (const cut of [from, to]) if (cut > part.start && cut < part.end) cuts.add(cut);
    }
  }
  const places = [...cuts].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => ({ start: places[index]!, end }));
}

async function syncPart(
  array: MirrorEngine,
  part: ByteRange,
  way: SyncWay,
  sources: ReadonlySet<Member> | null = null,
): Promise<number> {
  const length = part.end - part.start;
  const places = placesOf(array, part).filter(({ member, at }) => member.canRead(at, at + length));
  // A stable order: the first is what reads of an unsynced range return.
  places.sort((a, b) => rankOf(a.member, sources) - rankOf(b.member, sources));
  const [source] = places;
  if (source === undefined || (sources !== null && !sources.has(source.member)))
    throw notReadable(array, part, null);
  if (places.length < 2) return 0;
  const buffer = await lendBuffer(array.buffers, places.length * length);
  try {
    const copies = places.map(({ copy, member, at }, index) => ({
      copy,
      member,
      offset: member.dataStart + at,
      bytes: buffer.bytes.subarray(index * length, (index + 1) * length),
    }));
    const unread = await readCopies(array, copies);
    const isSettled = unread.every(({ copy }) => !takesPart(copies, copy));
    if (isSettled || length <= PIECE_LENGTH) return await compareCopies(array, part, { copies, unread, way });
  } finally {
    array.buffers.release(buffer);
  }
  let mismatched = 0;
  for (let start = part.start; start < part.end; start += PIECE_LENGTH) {
    const piece = { start, end: Math.min(part.end, start + PIECE_LENGTH) };
    mismatched += await syncPart(array, piece, way, sources);
  }
  return mismatched;
}

/** Where each copy of a range lies that lies together on every member. `at`: of the member's data. */
function placesOf(
  { map, members }: MirrorEngine,
  { start }: ByteRange,
): { readonly copy: number; readonly member: Member; readonly at: number }[] {
  return Array.from({ length: map.copyCount }, (_, copy) => ({
    copy,
    member: members[map.memberOf(start, copy)]!,
    at: map.memberOffsetOf(start, copy),
  }));
}

function rankOf(member: Member, sources: ReadonlySet<Member> | null): number {
  return (sources === null || sources.has(member) ? 0 : 2) + (isWriteMostly(member) ? 1 : 0);
}

/** Reads all copies; those that cannot be read are returned, and their members failed where they are lost. */
async function readCopies(array: MirrorEngine, copies: readonly Copy[]): Promise<UnreadCopy[]> {
  const reads = await Promise.allSettled(
    copies.map(({ member, offset, bytes }) =>
      request(member.target, array.environment, Op.read, offset, bytes.length, bytes),
    ),
  );
  const unread: UnreadCopy[] = [];
  reads.forEach((read, index) => {
    if (read.status === "fulfilled") return;
    const error: unknown = read.reason;
    const { copy, member } = copies[index]!;
    if (!isCevError(error) || readFailureOf(error) === "request") throw error;
    if (readFailureOf(error) === "lost") array.array.failMember(member, error);
    unread.push({ copy, error });
  });
  return unread;
}

/** The member of a copy that could not be read still takes part: only some of the range cannot be read. */
function takesPart(copies: readonly Copy[], copy: number): boolean {
  return copies.find((one) => one.copy === copy)!.member.takesWrites;
}

interface Comparison {
  readonly copies: readonly Copy[];
  readonly unread: readonly UnreadCopy[];
  readonly way: SyncWay;
}

async function compareCopies(
  array: MirrorEngine,
  part: ByteRange,
  { copies, unread, way }: Comparison,
): Promise<number> {
  const [source, ...others] = copies.filter(({ copy }) => !unread.some((one) => one.copy === copy));
  if (source === undefined) throw notReadable(array, part, unread.at(-1)?.error ?? null);
  const length = part.end - part.start;
  const differing = new Uint8Array(Math.ceil(length / PIECE_LENGTH));
  for (const other of others) {
    for (const run of differingRuns(array, source.bytes, other.bytes)) {
      differing.fill(1, run.start / PIECE_LENGTH, Math.ceil(run.end / PIECE_LENGTH));
      if (way !== "check") await writeSparse(array, source.bytes, run, other);
    }
  }
  await writeBack(array, part, source.bytes, unread);
  let mismatched = 0;
  differing.forEach((isDifferent, index) => {
    if (isDifferent !== 0) mismatched += Math.min(PIECE_LENGTH, length - index * PIECE_LENGTH);
  });
  return mismatched;
}

/** The pieces in which two copies differ, neighbours together. */
function differingRuns({ buffers }: MirrorEngine, a: Uint8Array, b: Uint8Array): ByteRange[] {
  const { length } = a;
  const runs: { start: number; end: number }[] = [];
  if (isSame(buffers, [a, b], { start: 0, end: length })) return runs;
  for (let start = 0; start < length; start += PIECE_LENGTH) {
    const end = Math.min(start + PIECE_LENGTH, length);
    if (isSame(buffers, [a, b], { start, end })) continue;
    const last = runs.at(-1);
    if (last?.end === start) last.end = end;
    else runs.push({ start, end });
  }
  return runs;
}

function notReadable(array: MirrorEngine, { start, end }: ByteRange, cause: CevError | null): CevError {
  return new CevError("CEV_DEGRADED", `bytes ${start} to ${end} of the array cannot be read from any copy`, {
    layer: array.name,
    hint: "write what should be there, and try again",
    ...(cause === null ? {} : { cause }),
  });
}
