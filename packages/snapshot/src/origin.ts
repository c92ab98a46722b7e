import { ioError } from "@cev/core";
import type { CevError, Environment, Io, SubmitTarget } from "@cev/core";
import { OriginWrite } from "./origin-write.ts";
import { PendingRun, RunKind } from "./pending-run.ts";
import type { RunHost } from "./pending-run.ts";
import type { Snapshot } from "./snapshot.ts";
import type { StoreTarget } from "./store-target.ts";

/** Waits until another copy may be begun. */
export interface SlotWaiter {
  slotFree(): void;
}

/** A read of the origin through a snapshot. Context of its action; used again and again. */
interface TrackedRead {
  readonly origin: Origin;
  offset: number;
  end: number;
  previous: TrackedRead | null;
  next: TrackedRead | null;
}

/** How many copies may be under way at once: each takes a buffer. */
const COPIES_MAX = 64;
/** Neighbouring chunks are copied together, up to so many bytes. */
const COPY_LENGTH = 262_144;

/**
 * The origin as its snapshots see it: nothing of it is overwritten before all of them have what it held, or are known to be
 * invalid, and before reads that came through a snapshot are done with it.
 */
export class Origin implements RunHost {
  readonly name: string;
  readonly environment: Environment;
  /** Where requests of the origin go. */
  readonly target: SubmitTarget;
  /** For copies: takes reads of any length. */
  readonly origin: SubmitTarget;
  readonly originSize: number;
  readonly snapshots: readonly Snapshot[];
  readonly #freeRuns: PendingRun[] = [];
  readonly #freeWrites: OriginWrite[] = [];
  readonly #freeReads: TrackedRead[] = [];
  #firstRead: TrackedRead | null = null;
  readonly #blocked: OriginWrite[] = [];
  #copyCount = 0;
  #slotWaiters: SlotWaiter[] = [];

  constructor(
    environment: Environment,
    name: string,
    {
      target,
      reads,
      snapshots,
    }: { target: StoreTarget; reads: SubmitTarget; snapshots: readonly Snapshot[] },
  ) {
    this.name = name;
    this.environment = environment;
    this.target = target;
    this.origin = reads;
    this.originSize = target.limits.size;
    this.snapshots = snapshots;
  }

  /** A write of any kind: goes down as it is once all snapshots have what the range held. */
  write(io: Io): void {
    if (this.isPreserved(io.offset, io.length) && !this.isBeingRead(io.offset, io.length)) {
      this.target.submit(io);
      return;
    }
    (this.#freeWrites.pop() ?? new OriginWrite(this)).begin(io);
  }

  /** A read through a snapshot, of chunks that its store does not have. */
  read(io: Io): void {
    const read: TrackedRead = this.#freeReads.pop() ?? {
      origin: this,
      offset: 0.5,
      end: 0.5,
      previous: null,
      next: null,
    };
    read.offset = io.offset;
    read.end = io.offset + io.length;
    read.next = this.#firstRead;
    if (this.#firstRead !== null) this.#firstRead.previous = read;
    this.#firstRead = read;
    io.pushAction(readEnded, read);
    this.target.submit(io);
  }

  /** True where every snapshot that is of any use has all of a range already. */
  isPreserved(offset: number, length: number): boolean {
    for (const snapshot of this.snapshots)
      if (snapshot.isValid ? !snapshot.covers(offset, length) : !snapshot.isInvalidRecorded) return false;
    return true;
  }

  /** True while a read through a snapshot is under way there. */
  isBeingRead(offset: number, length: number): boolean {
    for (let read = this.#firstRead; read !== null; read = read.next)
      if (read.offset < offset + length && offset < read.end) return true;
    return false;
  }

  /** Up to which offset a range is alike: all in the stores of all snapshots, or missing in one of them. */
  preservedRun(offset: number, end: number): { readonly isPreserved: boolean; readonly end: number } {
    let isPreserved = true;
    let until = end;
    for (const snapshot of this.snapshots) {
      if (!snapshot.isValid) {
        isPreserved &&= snapshot.isInvalidRecorded;
        continue;
      }
      if (offset >= snapshot.size) continue;
      const { chunkSize } = snapshot.layout;
      until = Math.min(until, (Math.floor(offset / chunkSize) + 1) * chunkSize);
      isPreserved &&= snapshot.table.get(Math.floor(offset / chunkSize)) >= 0;
    }
    return { isPreserved, end: until };
  }

  /** How many chunks one copy takes. */
  copyCount(snapshot: Snapshot): number {
    const { bufferLengthMax, bytesMax } = this.environment.buffers;
    const length = Math.min(COPY_LENGTH, bufferLengthMax, bytesMax / 2);
    return Math.max(1, Math.floor(length / snapshot.layout.chunkSize));
  }

  get hasSlot(): boolean {
    return this.#copyCount < COPIES_MAX;
  }

  /** Tells the waiter once, when a copy has ended. */
  waitForSlot(waiter: SlotWaiter): void {
    this.#slotWaiters.push(waiter);
  }

  /** A run to be begun by a snapshot. */
  newRun(kind: RunKind): PendingRun {
    if (kind !== RunKind.replace) this.#copyCount++;
    return this.#freeRuns.pop() ?? new PendingRun(this);
  }

  recycle(run: PendingRun): void {
    this.#freeRuns.push(run);
    if (run.kind === RunKind.replace) return;
    this.#copyCount--;
    if (this.#slotWaiters.length === 0) return;
    const waiters = this.#slotWaiters;
    this.#slotWaiters = [];
    for (const waiter of waiters) waiter.slotFree();
  }

  /** @internal All snapshots have what it overwrites: it goes down, once nobody reads there any more. */
  release(write: OriginWrite, io: Io): void {
    if (this.isBeingRead(io.offset, io.length)) {
      this.#blocked.push(write);
      return;
    }
    this.#freeWrites.push(write);
    this.target.submit(io);
  }

  /** @internal It cannot be done. */
  refuse(write: OriginWrite, io: Io, cause: CevError): void {
    this.#freeWrites.push(write);
    io.complete(ioError(io, cause.code, cause.message, this.name, cause));
  }

  /** @internal */
  readEnded(read: TrackedRead): void {
    if (read.previous === null) this.#firstRead = read.next;
    else read.previous.next = read.next;
    if (read.next !== null) read.next.previous = read.previous;
    read.previous = null;
    read.next = null;
    this.#freeReads.push(read);
    if (this.#blocked.length === 0) return;
    for (const write of this.#blocked.splice(0)) write.proceed();
  }
}

function readEnded(_io: Io, read: TrackedRead): void {
  read.origin.readEnded(read);
}
