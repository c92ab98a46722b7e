import { CevError } from "@cev/core";
import type { Member } from "./member.ts";
import { hasBadBlockRoom, worldError } from "./metadata-writer.ts";
import { PIECE_LENGTH } from "./running-array.ts";
import { isUnreadable } from "./resync.ts";
import { piecesOf } from "./sync-pass.ts";
import type { SyncWork } from "./sync-work.ts";
import { insertRange } from "./unsynced-ranges.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

/**
 * Rebuilds the members that are not in sync, from where they are. Rejects with an error that names the place where that
 * cannot be: none of them is called rebuilt then.
 */
export async function recover(work: SyncWork): Promise<void> {
  const { array, keeper } = work;
  const targets = array.members.filter((member) => member.isRebuilding);
  const total = recoverSize(work);
  const start = Math.min(total, ...targets.map((member) => member.recoveredTo));
  const willBeWhole = array.members.every((member) => member.takesWrites) && array.unsynced.length === 0;
  const intents = willBeWhole ? keeper.intents : null;
  const pass = work.begin("recover", start, total);
  intents?.beginSync();
  let isComplete = false;
  try {
    await keeper.update();
    isComplete = await work.run(pass, {
      pieces: piecesToRecover(work, targets, { start, end: total }),
      start,
      work: (piece) => recoverPiece(work, piece),
      onPosition(position) {
        for (const member of targets)
          if (member.isRebuilding) member.recoveredTo = Math.max(member.recoveredTo, position);
        keeper.noteProgress();
      },
    });
    if (isComplete) await finish(work, targets, total);
  } finally {
    intents?.endSync(isComplete && array.lostCount === 0 ? [] : null);
    work.end(pass);
  }
}

/** Bytes of each member that are rebuilt. */
function recoverSize({ array, personality }: SyncWork): number {
  return array.level.number === 10 ? array.geometry.memberSizes[0]! : personality.syncSize;
}

function piecesToRecover(
  work: SyncWork,
  targets: readonly Member[],
  range: ByteRange,
): Iterator<ByteRange, void, void> {
  const { syncStep } = work.personality;
  const { intents } = work.keeper;
  if (intents === null || !targets.every((one) => one.isByBitmap)) return piecesOf([range], syncStep);
  // Only what is marked is to be copied, not what happens to lie beside it.
  const step = Math.max(Math.min(syncStep, intents.head.chunkSize), PIECE_LENGTH);
  return markedPieces(work, piecesOf([range], step), targets);
}

/** Of the pieces of the members' data those of which the bitmap marks something on any of these members. */
function* markedPieces(
  { keeper, personality }: SyncWork,
  pieces: Iterable<ByteRange>,
  members: readonly Member[],
): Generator<ByteRange, void, void> {
  for (const piece of pieces) {
    // In RAID10 the same place holds another part of the array on each member.
    const ranges = members.flatMap((member) => personality.syncRangesOf(member, piece.start, piece.end));
    const { intents } = keeper;
    if (intents === null || ranges.some(({ start, end }) => intents.isMarked(start, end))) yield piece;
  }
}

async function recoverPiece(work: SyncWork, piece: ByteRange): Promise<number> {
  const { personality } = work;
  try {
    await personality.recoverSlice(piece.start, piece.end);
    return 0;
  } catch (error) {
    const cause = worldError(error);
    if (!isUnreadable(cause) || !canGoOn(work)) throw recoverFailure(work, piece, cause);
  }
  // Page by page: most of it may still be had.
  let lost: ByteRange[] = [];
  try {
    for (const page of piecesOf([piece], PIECE_LENGTH)) {
      try {
        await personality.recoverSlice(page.start, page.end);
      } catch (error) {
        const cause = worldError(error);
        if (!isUnreadable(cause) || !canGoOn(work) || !markBad(work, page))
          throw recoverFailure(work, page, cause);
        lost = insertRange(lost, page);
      }
    }
  } finally {
    for (const range of lost) reportBad(work, range);
  }
  return 0;
}

/** A member that failed meanwhile ends the pass in another way. */
function canGoOn({ array, mustStop }: SyncWork): boolean {
  return !mustStop && array.members.some((member) => member.isRebuilding);
}

/** What cannot be had is not called rebuilt: the log of bad blocks says so, where the members have one. */
function markBad({ array }: SyncWork, { start, end }: ByteRange): boolean {
  const targets = array.members.filter((member) => member.isRebuilding);
  if (!targets.every((member) => hasBadBlockRoom(member, start, end))) return false;
  for (const member of targets) member.addBadBlock(start, end);
  return true;
}

function reportBad({ array, options }: SyncWork, { start, end }: ByteRange): void {
  for (const { isRebuilding, name } of array.members)
    if (isRebuilding)
      options.report({
        severity: "error",
        code: "CEV_MEDIUM",
        message: `bytes ${start} to ${end} of ${name} could not be rebuilt and are marked as bad: they cannot be read until they are written`,
        device: name,
      });
}

function recoverFailure({ array }: SyncWork, { start, end }: ByteRange, cause: CevError): CevError {
  const names = array.members.filter((member) => member.isRebuilding).map(({ name }) => name);
  const stopped = `the rebuild of ${names.join(", ")} stopped`;
  const place = { layer: array.name, offset: start, length: end - start, cause };
  if (isUnreadable(cause))
    return new CevError(
      "CEV_DEGRADED",
      `${stopped}: bytes ${start} to ${end} of the members' data cannot be had: ${cause.message}`,
      place,
    );
  // Nothing is wrong with what it is rebuilt from: it goes on there.
  const hint = cause.code === "CEV_NO_SPACE" ? "make room on its device, and let it go on" : "let it go on";
  return new CevError(cause.code, `${stopped} at byte ${start} of its data: ${cause.message}`, {
    ...place,
    hint,
  });
}

/** What a rebuilt member holds is durable before the superblocks call it a member. */
async function finish({ array, keeper }: SyncWork, targets: readonly Member[], total: number): Promise<void> {
  for (const member of targets) if (member.isRebuilding) member.recoveredTo = total;
  await keeper.flush();
  for (const member of targets) if (member.isRebuilding) array.memberRecovered(member);
  await keeper.update();
}
