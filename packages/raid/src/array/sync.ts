import type { Personality, SyncWay } from "./personality.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

// So many pieces at once.
const CONCURRENCY_MAX = 4;

/** How far a pass over the redundancy has come, in bytes of sync space. */
export interface SyncProgress {
  readonly done: number;
  readonly total: number;
}

/** Goes over some ranges of sync space. Resolves with the number of bytes that did not match; rejects when a member fails. */
export async function sync(
  personality: Personality,
  ranges: readonly ByteRange[],
  way: SyncWay,
  onProgress: (progress: SyncProgress) => void,
): Promise<number> {
  const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  let done = 0;
  let mismatched = 0;
  const pieces = piecesOf(ranges, personality.syncStep);
  const work = async (): Promise<void> => {
    try {
      for (const { start, end } of pieces) {
        mismatched += await personality.syncSlice(start, end, way);
        done += end - start;
        onProgress({ done, total });
      }
    } catch (error) {
      // The others need not go on.
      pieces.return();
      throw error;
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: CONCURRENCY_MAX }, work));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return mismatched;
}

/** Pieces that cross no multiple of `step`; shared by those who work on them. */
function* piecesOf(ranges: readonly ByteRange[], step: number): Generator<ByteRange, void, void> {
  for (const { start, end } of ranges) {
    for (let at = start; at < end;) {
      const next = Math.min(end, at - (at % step) + step);
      yield { start: at, end: next };
      at = next;
    }
  }
}
