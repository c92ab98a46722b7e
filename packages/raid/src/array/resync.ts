import type { CevError } from "@cev/core";
import { worldError } from "./metadata-writer.ts";
import { PIECE_LENGTH } from "./running-array.ts";
import { piecesOf } from "./sync-pass.ts";
import type { SyncWork } from "./sync-work.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

/** Makes the redundancy right where it may be wrong. What cannot be made right stays unsynced; rejects with the first of it. */
export async function resync(work: SyncWork): Promise<void> {
  const { array, keeper } = work;
  const { syncSize, syncStep } = work.personality;
  const ranges = [...array.unsynced];
  // What was written in the meantime may have been all of it.
  const start = ranges[0]?.start ?? syncSize;
  const intents = array.lostCount === 0 ? keeper.intents : null;
  const pass = work.begin("resync", start, syncSize);
  intents?.beginSync();
  const failures: CevError[] = [];
  try {
    // Members that are not here must fall behind.
    await keeper.update();
    const isAtEnd = await work.run(pass, {
      pieces: piecesOf(ranges, syncStep),
      start,
      work: (piece) => resyncPiece(work, piece, failures),
      onPosition(position) {
        if (failures.length === 0) intents?.syncedTo(position);
      },
    });
    if (isAtEnd) await keeper.update();
    if (failures.length > 0) throw failures[0]!;
  } finally {
    intents?.endSync(array.unsynced);
    work.end(pass);
  }
}

/** The members cannot be read there; any other error says nothing about the place. */
export function isUnreadable({ code }: CevError): boolean {
  return code === "CEV_DEGRADED" || code === "CEV_MEDIUM" || code === "CEV_IO" || code === "CEV_TIMED_OUT";
}

/** Where something cannot be made right, page by page. */
async function resyncPiece(work: SyncWork, piece: ByteRange, failures: CevError[]): Promise<number> {
  const { personality, array, keeper } = work;
  try {
    const mismatched = await personality.syncSlice(piece.start, piece.end, "resync");
    // In one step: superblocks that say so are written after a flush.
    keeper.noteProgress();
    array.synced(piece.start, piece.end);
    return mismatched;
  } catch (error) {
    const cause = worldError(error);
    if (!isUnreadable(cause) || work.mustStop) throw cause;
  }
  let mismatchedBytes = 0;
  for (const page of piecesOf([piece], PIECE_LENGTH)) {
    try {
      mismatchedBytes += await personality.syncSlice(page.start, page.end, "resync");
      keeper.noteProgress();
      array.synced(page.start, page.end);
    } catch (error) {
      const cause = worldError(error);
      if (!isUnreadable(cause) || work.mustStop) throw cause;
      failures.push(cause);
    }
  }
  return mismatchedBytes;
}
