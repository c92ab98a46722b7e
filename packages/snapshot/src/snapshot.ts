import { CevError, Io, IoFlag, Op, assert } from "@cev/core";
import type { Environment } from "@cev/core";
import { CommitQueue } from "./commit-queue.ts";
import type { ExceptionTable } from "./exception-table.ts";
import type { PendingRun, RunKind } from "./pending-run.ts";
import type { StoreContents } from "./read-store.ts";
import { encodeHeader } from "./store-header.ts";
import type { StoreLayout } from "./store-layout.ts";
import { StoreRoom } from "./store-room.ts";
import type { StoreTarget } from "./store-target.ts";

/** What a `Snapshot` is made of. */
export interface SnapshotOptions {
  readonly environment: Environment;
  readonly name: string;
  readonly store: StoreTarget;
  readonly contents: StoreContents;
  /** Of the origin, that the snapshot shows; bytes. */
  readonly size: number;
  /** It was lost while in use. */
  readonly onInvalid: (snapshot: Snapshot, cause: CevError) => void;
}

/** Waits until it is on the disk that a snapshot is invalid. */
export interface InvalidWaiter {
  invalidRecorded(snapshot: Snapshot): void;
}

/** How full a store is, as `dmsetup status` counts. All in bytes. */
export interface Usage {
  /** Header and areas included. */
  readonly allocated: number;
  readonly total: number;
  readonly metadata: number;
}

/**
 * One snapshot at work: which chunks are in its store, which are on their way, and where the next ones go. Knows nothing of requests;
 * its origin and its own layer ask it.
 */
export class Snapshot {
  readonly name: string;
  readonly store: StoreTarget;
  readonly layout: StoreLayout;
  readonly size: number;
  readonly table: ExceptionTable;
  /** Whole chunks that it shows, the last one perhaps in part. */
  readonly chunkCount: number;
  readonly commits: CommitQueue;
  /** Why it is of no use any more; null: it is. */
  invalidCause: CevError | null = null;
  /** That it is invalid stands in its header. */
  isInvalidRecorded = false;
  /** Why that could not be written, the last time it was tried. */
  recordError: CevError | null = null;
  readonly #environment: Environment;
  readonly #onInvalid: SnapshotOptions["onInvalid"];
  readonly #pending: PendingRun[] = [];
  /** Those that cannot be recorded yet, in the order in which they were given their chunks. */
  readonly #unwritten: PendingRun[] = [];
  #waiting: InvalidWaiter[] = [];
  #isRecording = false;
  readonly #room: StoreRoom;
  /** Chunks that were given out and are not recorded yet. */
  #outstandingCount = 0;

  constructor(options: SnapshotOptions) {
    const { contents, environment, store } = options;
    assert(contents.state === "valid" || contents.state === "blank", "an invalid snapshot is not opened");
    this.name = options.name;
    this.store = store;
    this.layout = contents.layout;
    this.size = options.size;
    this.table = contents.table;
    this.chunkCount = Math.ceil(options.size / contents.layout.chunkSize);
    this.commits = new CommitQueue(environment, store, contents);
    this.#environment = environment;
    this.#onInvalid = options.onInvalid;
    this.#room = new StoreRoom(contents.layout, contents.nextFree, contents.gaps);
  }

  get isValid(): boolean {
    return this.invalidCause === null;
  }

  get usage(): Usage {
    const { chunkSize } = this.layout;
    return {
      allocated: Math.min(this.#room.nextFree * chunkSize, this.store.limits.size),
      total: this.store.limits.size,
      metadata: (this.commits.areaCount + 1) * chunkSize,
    };
  }

  /** True where all of a range of the origin, as far as the snapshot shows it, is in the store. */
  covers(offset: number, length: number): boolean {
    const { chunkSize } = this.layout;
    const end = Math.min(offset + length, this.size);
    for (let chunk = Math.floor(offset / chunkSize); chunk * chunkSize < end; chunk++)
      if (this.table.get(chunk) < 0) return false;
    return true;
  }

  /** The run on its way into the store that holds any of these chunks; null: none. */
  findPending(firstOld: number, count: number): PendingRun | null {
    for (const run of this.#pending) if (run.overlaps(firstOld, count)) return run;
    return null;
  }

  /** How many of `count` chunks in a row there is room for, next to each other. */
  room(count: number): number {
    const { entryCountMax } = this.layout;
    const entries = entryCountMax - this.table.size - this.#outstandingCount;
    return Math.max(0, Math.min(count, this.#room.runLength, entries));
  }

  /** Gives chunks of the store to chunks of the origin. Precondition: there is room. */
  begin(run: PendingRun, kind: RunKind, firstOld: number, count: number): void {
    run.prepare(this, kind, firstOld, count, this.#room.take(count));
    this.#outstandingCount += count;
    this.#pending.push(run);
    this.#unwritten.push(run);
  }

  /**
   * Its data is in the store. It is recorded once all are that took their chunks before it: whoever opens the store after a power cut
   * goes on behind the last chunk that an exception names, and what were gaps before that would be lost. Those that wait for memory are not
   * waited for: who waits here may have it.
   */
  record(run: PendingRun): void {
    run.isWritten = true;
    this.#recordNext();
  }

  #recordNext(): void {
    for (;;) {
      const place = this.#unwritten.findIndex((run) => !run.isWithoutMemory);
      const run = this.#unwritten[place];
      if (run?.isWritten !== true) return;
      this.#unwritten.splice(place, 1);
      if (this.invalidCause === null) this.commits.add(run);
      else run.end(this.invalidCause);
    }
  }

  /** @internal Some of its exceptions, perhaps all, are on the disk. */
  recorded(run: PendingRun): void {
    for (; run.recordedCount < run.placedCount; run.recordedCount++) {
      this.table.add(run.firstOld + run.recordedCount, run.firstNew + run.recordedCount);
      this.#outstandingCount--;
    }
  }

  /** @internal A run is over. */
  forget(run: PendingRun): void {
    this.#outstandingCount -= run.count - run.recordedCount;
    const index = this.#pending.indexOf(run);
    const last = this.#pending.pop()!;
    if (last !== run) this.#pending[index] = last;
    // What was to be recorded may still be found on the disk.
    if (run.placedCount === 0) this.#room.giveBack(run.firstNew, run.count);
    const place = this.#unwritten.indexOf(run);
    if (place < 0) return;
    this.#unwritten.splice(place, 1);
    this.#recordNext();
  }

  /** From now on it is of no use: what the origin holds may be written without being kept, once `whenInvalid` has said so. */
  invalidate(cause: CevError): void {
    if (this.invalidCause !== null) return;
    this.invalidCause = new CevError(
      "CEV_DEVICE_LOST",
      `the snapshot ${this.name} is invalid: ${cause.message}`,
      {
        cause,
        hint: "it cannot be used any more and can be removed; the origin is whole",
      },
    );
    this.#onInvalid(this, this.invalidCause);
  }

  /** Tells the waiter once its header says, durably, that the snapshot is invalid, or could not be written. */
  whenInvalid(waiter: InvalidWaiter): void {
    this.#waiting.push(waiter);
    if (this.#isRecording) return;
    this.#isRecording = true;
    const { chunkSize } = this.layout;
    const header = new Uint8Array(Math.max(512, this.store.limits.logicalBlockSize));
    header.set(encodeHeader({ isValid: false, chunkSize }));
    const flags = this.store.support.fua === "none" ? 0 : IoFlag.fua;
    const io = new Io(this.#environment.runQueue).prepare(Op.write, 0, header.length, header, 0, flags);
    io.setOwner(headerWritten, this);
    this.store.submit(io);
  }

  /** @internal */
  headerEnded(error: CevError | null): void {
    this.#isRecording = false;
    this.recordError = error;
    if (error === null) this.isInvalidRecorded = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.invalidRecorded(this);
  }
}

function headerWritten(io: Io, snapshot: Snapshot): void {
  snapshot.headerEnded(io.error);
}
