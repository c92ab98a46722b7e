import type { Environment } from "@cev/core";
import type { SpeedLimit } from "./speed-limit.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

// So many pieces at once.
const CONCURRENCY_MAX = 4;
const NAP_MS = 50;

/** What a pass over pieces of an array is made of. */
export interface SyncPassOptions {
  readonly environment: Environment;
  readonly speed: SpeedLimit;
  /** In rising order. */
  readonly pieces: Iterator<ByteRange, void, void>;
  /** Where it begins, and where it ends when all is done. */
  readonly start: number;
  readonly end: number;
  readonly work: (piece: ByteRange) => Promise<void>;
  /** Asked before each piece: true ends the pass early. */
  readonly mustStop: () => boolean;
  /** Requests have come in since this was asked last. */
  readonly isBusy: () => boolean;
  /** All below `position` is done; `piece`: what has just been. */
  readonly onDone: (piece: ByteRange, position: number) => void;
}

/**
 * Works on pieces in rising order, some at once, at the speed that is allowed, in turns of the event loop of their own.
 * Resolves with true once all are done, with false when it was to stop; rejects with the first error.
 */
export async function runPass(options: SyncPassOptions): Promise<boolean> {
  const { environment, speed, pieces, work } = options;
  const underWay = new Set<number>();
  let next = options.start;
  let isStopped = false;
  const position = (): number => {
    let lowest = next;
    for (const start of underWay) if (start < lowest) lowest = start;
    return lowest;
  };
  const worker = async (): Promise<void> => {
    try {
      for (;;) {
        isStopped ||= options.mustStop();
        if (isStopped) return;
        const { value: piece, done } = pieces.next();
        if (done === true) {
          next = options.end;
          return;
        }
        underWay.add(piece.start);
        next = piece.end;
        await work(piece);
        underWay.delete(piece.start);
        options.onDone(piece, position());
        speed.count(piece.end - piece.start);
        await turn(environment);
        // In short naps: requests may have ceased meanwhile, and whoever stops the pass waits for it.
        for (;;) {
          const delay = speed.delay(options.isBusy());
          if (delay <= 0 || options.mustStop()) break;
          await sleep(environment, Math.min(delay, NAP_MS));
        }
      }
    } catch (error) {
      // The others need not go on.
      isStopped = true;
      throw error;
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: CONCURRENCY_MAX }, worker));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return !isStopped;
}

/** Pieces of some ranges that cross no multiple of `step`. */
export function* piecesOf(ranges: Iterable<ByteRange>, step: number): Generator<ByteRange, void, void> {
  for (const { start, end } of ranges) {
    for (let at = start; at < end;) {
      const next = Math.min(end, at - (at % step) + step);
      yield { start: at, end: next };
      at = next;
    }
  }
}

function sleep({ clock }: Environment, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

function turn({ later }: Environment): Promise<void> {
  return new Promise((resolve) => later(resolve));
}
