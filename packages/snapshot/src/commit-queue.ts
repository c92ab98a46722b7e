import { Io, IoFlag, Op } from "@cev/core";
import type { CevError, Environment } from "@cev/core";
import { encodeEntry } from "./exception-area.ts";
import type { PendingRun } from "./pending-run.ts";
import { ENTRY_LENGTH } from "./store-layout.ts";
import type { StoreLayout } from "./store-layout.ts";
import type { StoreContents } from "./read-store.ts";
import type { StoreTarget } from "./store-target.ts";

/**
 * Records exceptions, in groups: while one group is on its way to the disk the next one gathers. Of each group first the data is
 * made durable, then the part of the area that changed is written; an area that becomes full has a blank one behind it before
 * that. So a power cut leaves exceptions whose data is there, from the first on without a gap that could mislead.
 */
export class CommitQueue {
  readonly #store: StoreTarget;
  readonly #layout: StoreLayout;
  readonly #io: Io;
  readonly #blockSize: number;
  #area: Uint8Array;
  #view: DataView;
  #areaIndex = 0;
  #entryCount = 0;
  /** Where the group under way ends in the area. */
  #groupEnd = 0;
  /** Up to here the area may hold something on disk although it was not recorded: a torn or failed write left it. */
  #staleEnd: number;
  #waiting: PendingRun[] = [];
  #group: PendingRun[] = [];
  /** What the group under way failed with, while it is undone. */
  #failure: CevError | null = null;
  #isBusy = false;
  #corkCount = 0;
  #settled: (() => void) | null = null;

  constructor(environment: Environment, store: StoreTarget, { layout, ...contents }: StoreContents) {
    const { logicalBlockSize, physicalBlockSize } = store.limits;
    this.#store = store;
    this.#layout = layout;
    this.#io = new Io(environment.runQueue);
    this.#blockSize = Math.max(logicalBlockSize, Math.min(physicalBlockSize, layout.chunkSize));
    this.#area = contents.area;
    this.#view = new DataView(this.#area.buffer, this.#area.byteOffset, this.#area.byteLength);
    this.#areaIndex = contents.areaIndex;
    this.#entryCount = contents.entryCount;
    this.#staleEnd = contents.isTorn ? layout.entriesPerArea : 0;
  }

  /** How many areas are in use. */
  get areaCount(): number {
    return this.#areaIndex + 1;
  }

  /** Before the store is given back: what failed to be recorded, and to be cleared, is cleared if that can be done at all. */
  async settle(): Promise<void> {
    if (this.#staleEnd <= this.#entryCount) return;
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      this.#write(this.#staleEnd, settled);
    });
  }

  /** @internal */
  settled(): void {
    this.#settled?.();
    this.#settled = null;
  }

  /** Until `uncork` exceptions only gather: for whoever is about to add several. */
  cork(): void {
    this.#corkCount++;
  }

  uncork(): void {
    this.#corkCount--;
    this.#start();
  }

  /** The data of these chunks is in the store. Ends the run once its exceptions are recorded, or could not be. */
  add(run: PendingRun): void {
    this.#waiting.push(run);
    this.#start();
  }

  #start(): void {
    if (this.#isBusy || this.#corkCount > 0 || this.#waiting.length === 0) return;
    this.#isBusy = true;
    if (this.#staleEnd > this.#entryCount) this.#write(this.#staleEnd, staleCleared);
    else this.record();
  }

  /** @internal Nothing stale is left behind the exceptions. */
  record(): void {
    this.#staleEnd = 0;
    this.#gather();
    if (this.#groupEnd === this.#layout.entriesPerArea) {
      const offset = this.#layout.chunkOfArea(this.#areaIndex + 1) * this.#layout.chunkSize;
      this.#send(Op.writeZeroes, offset, this.#layout.chunkSize, null, 0, 0, nextCleared);
    } else {
      this.flush();
    }
  }

  /** Puts what waits into the area, as far as that has room. */
  #gather(): void {
    let end = this.#entryCount;
    let taken = 0;
    for (const run of this.#waiting) {
      if (end === this.#layout.entriesPerArea) break;
      while (run.placedCount < run.count && end < this.#layout.entriesPerArea) {
        encodeEntry(this.#view, end++, run.firstOld + run.placedCount, run.firstNew + run.placedCount);
        run.placedCount++;
      }
      this.#group.push(run);
      if (run.placedCount === run.count) taken++;
    }
    this.#waiting.splice(0, taken);
    this.#groupEnd = end;
  }

  /** @internal The data, and a blank area, before the exceptions. */
  flush(): void {
    if (this.#store.support.flush === "none") this.write();
    else this.#send(Op.flush, 0, 0, null, 0, 0, dataFlushed);
  }

  /** @internal */
  write(): void {
    this.#write(this.#groupEnd, entriesWritten);
  }

  /** @internal Whether any of the group is on the disk is not known: it is cleared there before anybody hears of the error. */
  undo(error: CevError): void {
    this.#rollBack();
    this.#staleEnd = this.#groupEnd;
    this.#failure = error;
    this.#write(this.#staleEnd, undone);
  }

  /** @internal Where not even that succeeded it is tried again before the next group. */
  undone(error: CevError | null): void {
    if (error === null) this.#staleEnd = 0;
    const failure = this.#failure!;
    this.#failure = null;
    this.ended(failure);
  }

  /** @internal The group is over. */
  ended(error: CevError | null): void {
    if (error === null) this.#advance();
    else this.#rollBack();
    const group = this.#group;
    this.#group = [];
    if (error !== null) {
      // What found a place in part stands first among those that wait.
      if (this.#waiting.length > 0 && this.#waiting[0] === group.at(-1)) this.#waiting.shift();
      for (const run of group) run.end(error);
    } else {
      for (const run of group) run.recorded();
    }
    this.#isBusy = false;
    this.#start();
  }

  #rollBack(): void {
    this.#area.fill(0, this.#entryCount * ENTRY_LENGTH, this.#groupEnd * ENTRY_LENGTH);
  }

  /** Writes the blocks of the area from what is recorded up to an entry, durably. */
  #write(end: number, then: (io: Io, queue: CommitQueue) => void): void {
    const start = this.#entryCount * ENTRY_LENGTH;
    const from = start - (start % this.#blockSize);
    const to = Math.ceil((end * ENTRY_LENGTH) / this.#blockSize) * this.#blockSize;
    const offset = this.#layout.chunkOfArea(this.#areaIndex) * this.#layout.chunkSize + from;
    const flags = this.#store.support.fua === "none" ? 0 : IoFlag.fua;
    this.#send(Op.write, offset, to - from, this.#area, from, flags, then);
  }

  /** @internal Not even what is stale could be cleared: all that wait fail. */
  failed(error: CevError): void {
    this.#groupEnd = this.#entryCount;
    this.#group = this.#waiting;
    this.#waiting = [];
    this.ended(error);
  }

  #advance(): void {
    this.#entryCount = this.#groupEnd;
    if (this.#entryCount < this.#layout.entriesPerArea) return;
    this.#areaIndex++;
    this.#entryCount = 0;
    this.#area.fill(0);
  }

  #send(
    op: Op,
    offset: number,
    length: number,
    data: Uint8Array | null,
    dataOffset: number,
    flags: number,
    then: (io: Io, queue: CommitQueue) => void,
  ): void {
    this.#io.prepare(op, offset, length, data, dataOffset, flags);
    this.#io.setOwner(then, this);
    this.#store.submit(this.#io);
  }
}

function staleCleared(io: Io, queue: CommitQueue): void {
  if (io.error === null) queue.record();
  else queue.failed(io.error);
}

function settled(_io: Io, queue: CommitQueue): void {
  queue.settled();
}

function nextCleared(io: Io, queue: CommitQueue): void {
  if (io.error === null) queue.flush();
  else queue.ended(io.error);
}

function dataFlushed(io: Io, queue: CommitQueue): void {
  if (io.error === null) queue.write();
  else queue.ended(io.error);
}

function entriesWritten(io: Io, queue: CommitQueue): void {
  if (io.error === null) queue.ended(null);
  else queue.undo(io.error);
}

function undone(io: Io, queue: CommitQueue): void {
  queue.undone(io.error);
}
