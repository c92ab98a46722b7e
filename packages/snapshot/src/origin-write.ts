import { CevError } from "@cev/core";
import type { Io } from "@cev/core";
import type { Origin, SlotWaiter } from "./origin.ts";
import { RunKind } from "./pending-run.ts";
import type { ChunkWaiter, PendingRun } from "./pending-run.ts";
import type { InvalidWaiter, Snapshot } from "./snapshot.ts";

/**
 * One write of the origin on its way: round by round, what the snapshots lack of its range is copied, all at once, until they
 * lack nothing. Used again and again.
 */
export class OriginWrite implements ChunkWaiter, InvalidWaiter, SlotWaiter {
  readonly #origin: Origin;
  #io: Io | null = null;
  #pendingCount = 0;
  #error: CevError | null = null;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  begin(io: Io): void {
    this.#io = io;
    this.#error = null;
    this.proceed();
  }

  /** @internal Goes on with whatever is next. */
  proceed(): void {
    const io = this.#io!;
    while (this.#error === null && !io.isCancelRequested) {
      if (this.#origin.isPreserved(io.offset, io.length)) return this.#origin.release(this, io);
      if (!this.#tryRound()) return;
    }
    this.#origin.refuse(this, io, this.#error ?? cancelled());
  }

  /** @internal */
  runEnded(run: PendingRun): void {
    // Where somebody else's write failed, this one makes its own copy in the next round.
    if (run.error !== null && run.kind === RunKind.preserve) {
      if (run.isOriginError) this.#error ??= run.error;
      else run.snapshot.invalidate(run.error);
    }
    this.#ended();
  }

  /** @internal */
  invalidRecorded(snapshot: Snapshot): void {
    if (snapshot.recordError !== null) {
      const { message, code } = snapshot.recordError;
      this.#error ??= new CevError(
        code,
        `the snapshot ${snapshot.name} has failed, and that cannot be written to its store (${message})`,
        {
          cause: snapshot.recordError,
          hint: "open the origin without this snapshot",
        },
      );
    }
    this.#ended();
  }

  /** @internal */
  slotFree(): void {
    this.#ended();
  }

  /** One round. False: some of it is under way, and its end goes on with the write. */
  #tryRound(): boolean {
    this.#pendingCount = 1;
    for (const snapshot of this.#origin.snapshots) {
      if (snapshot.isValid) {
        snapshot.commits.cork();
        this.#preserve(snapshot);
        snapshot.commits.uncork();
      }
      if (!snapshot.isValid && !snapshot.isInvalidRecorded) {
        this.#pendingCount++;
        snapshot.whenInvalid(this);
      }
    }
    return --this.#pendingCount === 0;
  }

  #ended(): void {
    if (--this.#pendingCount === 0) this.proceed();
  }

  /** Begins copies of what a snapshot lacks, and waits for those that others began. */
  #preserve(snapshot: Snapshot): void {
    const { offset, length } = this.#io!;
    const { chunkSize } = snapshot.layout;
    const end = Math.ceil(Math.min(offset + length, snapshot.size) / chunkSize);
    for (let chunk = Math.floor(offset / chunkSize); chunk < end && snapshot.isValid;) {
      if (snapshot.table.get(chunk) >= 0) {
        chunk++;
        continue;
      }
      const pending = snapshot.findPending(chunk, 1);
      if (pending !== null) {
        this.#pendingCount++;
        pending.addWaiter(this);
        chunk = pending.firstOld + pending.count;
        continue;
      }
      if (!this.#origin.hasSlot) {
        this.#pendingCount++;
        this.#origin.waitForSlot(this);
        return;
      }
      chunk += this.#copy(snapshot, chunk, this.#missingRun(snapshot, chunk, end));
    }
  }

  /** Returns how many chunks are on their way now; 0: there is no room, and the snapshot is invalid. */
  #copy(snapshot: Snapshot, chunk: number, wanted: number): number {
    const count = snapshot.room(wanted);
    if (count === 0) {
      snapshot.invalidate(new CevError("CEV_NO_SPACE", "its store is full"));
      return 0;
    }
    const run = this.#origin.newRun(RunKind.preserve);
    snapshot.begin(run, RunKind.preserve, chunk, count);
    this.#pendingCount++;
    run.addWaiter(this);
    run.copy();
    return count;
  }

  /** How many chunks in a row, from one that is missing, are missing and on nobody's way. */
  #missingRun(snapshot: Snapshot, first: number, end: number): number {
    const last = Math.min(end, first + this.#origin.copyCount(snapshot));
    let chunk = first + 1;
    while (chunk < last && snapshot.table.get(chunk) < 0 && snapshot.findPending(chunk, 1) === null) chunk++;
    return chunk - first;
  }
}

function cancelled(): CevError {
  return new CevError("CEV_CANCELLED", "cancelled before the snapshots had what it overwrites");
}
