import { EventState } from "./completion.ts";
import type { CancelTarget } from "./completion.ts";
import type { CevError } from "./errors.ts";
import { Io, ioError, submitThrew } from "./io.ts";
import type { Op } from "./io.ts";
import type { RunQueue } from "./run-queue.ts";

/** What a sub-I/O is submitted to. Every `Layer` is one. */
export interface SubmitTarget {
  readonly name: string;
  submit(io: Io): void;
}

/**
 * How the results of sub-I/Os become the result of the whole: the driver's own rule. Both methods run in the
 * completion chain: `ended` in that of the sub-I/O, `merge` in that of the `Io` above, where it may hold it
 * (collation in task context) or restart it for another round.
 */
export interface Collation {
  readonly name: string;
  /** One sub-I/O has ended: may `retry` it, `hold` its `Io`, add others, or `decide` the whole. Null: nothing to do. */
  readonly ended: ((compound: CompoundIo, sub: SubIo) => void) | null;
  /** All have ended (or it was decided): set `compound.io.error` and `transferred` unless all went well. */
  readonly merge: (compound: CompoundIo) => void;
}

/** One part of an `Io` that became several, with an `Io` of its own. Reused with its compound. */
export class SubIo {
  readonly io: Io;
  readonly compound: CompoundIo;
  /** Counts from 0 within the compound. */
  readonly index: number;
  /** Where it was submitted last. */
  lower: SubmitTarget;
  /** How often it was submitted again. */
  retryCount = 0;
  /** For the layer's own use, such as the member index. */
  tag = 0;
  /** @internal The collation has seen its end. */
  isCollated = false;
  /** Milliseconds of the run queue's `watch`; NaN when nobody watches. */
  startedAt: number = Number.NaN;

  constructor(compound: CompoundIo, index: number, lower: SubmitTarget) {
    this.io = new Io(compound.io.runQueue);
    this.io.pushAction(subEnded, this);
    this.compound = compound;
    this.index = index;
    this.lower = lower;
  }
}

/**
 * The compound event of an `Io` that becomes several. All linkage lives here: the `Io` above knows of it only as
 * the context of an action in its chain. Order of use: `pool.over(io, …)`, `add` each part, `submit`.
 */
export class CompoundIo implements CancelTarget {
  /** The `Io` that became several. */
  io: Io;
  collation: Collation;
  /** @internal Of the collation. */
  ended: Collation["ended"] = null;
  /** The layer's own: whatever its collation needs. */
  context: unknown = null;
  /** @internal Kept across uses; only the first `subCount` are in use. */
  readonly subs: SubIo[] = [];
  subCount = 0;
  /** The layer that split, for those who watch. */
  readonly owner: { readonly name: string };
  #runQueue: RunQueue;
  // The submit itself counts, so that sub-I/Os that complete at once cannot end the compound too early.
  #pendingCount = 1;
  #submittedCount = 0;
  #errorCount = 0;
  #isDecided = false;
  #isReleased = false;
  #isCancelTold = false;
  readonly #pool: CompoundIoPool;

  /** @internal Use `CompoundIoPool.over`. */
  constructor(pool: CompoundIoPool, io: Io, collation: Collation) {
    this.#pool = pool;
    this.owner = pool.owner;
    this.io = io;
    this.#runQueue = io.runQueue;
    this.collation = collation;
  }

  /** How many sub-I/Os have not ended. */
  get pendingCount(): number {
    return this.#submittedCount < this.subCount ? this.#pendingCount - 1 : this.#pendingCount;
  }

  /** @internal */
  begin(io: Io, collation: Collation, context: unknown): void {
    this.io = io;
    this.#runQueue = io.runQueue;
    this.collation = collation;
    this.ended = collation.ended;
    this.context = context;
    this.subCount = 0;
    this.#pendingCount = 1;
    this.#submittedCount = 0;
    this.#errorCount = 0;
    this.#isDecided = false;
    this.#isReleased = false;
    this.#isCancelTold = io.isCancelRequested;
    io.pushAction(mergeCompound, this);
  }

  /**
   * Adds a sub-I/O; it is submitted by `submit`. The layer may push actions of its own onto `sub.io` before that:
   * they run before `ended`.
   */
  add(
    lower: SubmitTarget,
    op: Op,
    offset: number,
    length: number,
    data: Uint8Array | null = null,
    dataOffset = 0,
    flags = 0,
  ): SubIo {
    const index = this.subCount;
    let sub = this.subs[index];
    if (sub === undefined) {
      sub = new SubIo(this, index, lower);
      this.subs.push(sub);
    }
    // Compared first: what has not changed since the last use is not written again.
    if (sub.lower !== lower) sub.lower = lower;
    sub.retryCount = 0;
    const io = sub.io;
    if (io.runQueue !== this.#runQueue) io.runQueue = this.#runQueue;
    io.prepare(op, offset, length, data, dataOffset, flags);
    // Once the whole was cancelled, no part is submitted any more.
    io.isCancelRequested = this.#isCancelTold;
    // The action at the bottom of its chain stands there for good: see SubIo.
    io.entryCount = 2;
    this.subCount = index + 1;
    this.#pendingCount++;
    return sub;
  }

  /** Submits all that were added, in order. They may complete before this returns. */
  submit(): void {
    this.submitAdded();
    if (--this.#pendingCount === 0) this.#end();
  }

  /** From within `ended`: submits sub-I/Os that were added after `submit`. */
  submitAdded(): void {
    if (this.#runQueue.watch !== null) this.#noteStarts(this.#runQueue.watch.now());
    while (this.#submittedCount < this.subCount) {
      try {
        this.#submitRest();
      } catch (error) {
        const sub = this.subs[this.#submittedCount - 1]!;
        submitThrew(sub.io, error, sub.lower.name);
      }
    }
  }

  /**
   * From within `ended`, or while the sub-I/O is held: submits it again, on the same or another lower. False when
   * the whole was cancelled: then it ends with the error it has.
   */
  retry(sub: SubIo, lower: SubmitTarget = sub.lower): boolean {
    const io = sub.io;
    if (this.io.isCancelRequested || io.isCancelRequested) return false;
    io.restart();
    io.entryCount = 2;
    sub.isCollated = false;
    sub.retryCount++;
    sub.lower = lower;
    if (this.#runQueue.watch !== null) sub.startedAt = this.#runQueue.watch.now();
    try {
      lower.submit(io);
    } catch (error) {
      submitThrew(io, error, lower.name);
    }
    return true;
  }

  /**
   * Ends the `Io` above before all sub-I/Os have ended, and cancels those. Only for sub-I/Os that do not use the
   * caller's memory: that belongs to the caller again once the `Io` is done.
   */
  decide(error: CevError | null = null): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.io.complete(error);
    this.cancelPending();
  }

  /** Cancels all sub-I/Os that are under way. */
  cancelPending(): void {
    for (let index = 0; index < this.subCount; index++) {
      const io = this.subs[index]!.io;
      if (io.state !== EventState.done) io.cancel();
    }
  }

  /** The first error by order of the parts, or null. */
  firstError(): CevError | null {
    if (this.#errorCount === 0) return null;
    for (let index = 0; index < this.subCount; index++) {
      const error = this.subs[index]!.io.error;
      if (error !== null) return error;
    }
    return null;
  }

  /** @internal The `Io` above was cancelled. */
  onCancel(): void {
    if (this.#isCancelTold) return;
    this.#isCancelTold = true;
    this.cancelPending();
  }

  /** @internal One of those that count has ended; with the last the `Io` above completes. */
  countDown(io: Io): void {
    if (io.error !== null) this.#errorCount++;
    if (--this.#pendingCount === 0) this.#end();
  }

  /** @internal The `Io` above is through with its collation. */
  release(): void {
    this.#isReleased = true;
    if (this.#pendingCount === 0) this.#pool.reclaim(this);
  }

  #submitRest(): void {
    const { subs } = this;
    while (this.#submittedCount < this.subCount) {
      const sub = subs[this.#submittedCount++]!;
      if (sub.io.isCancelRequested) this.#endUnsubmitted(sub.io);
      else sub.lower.submit(sub.io);
    }
  }

  #noteStarts(now: number): void {
    for (let index = this.#submittedCount; index < this.subCount; index++) this.subs[index]!.startedAt = now;
  }

  #endUnsubmitted(io: Io): void {
    io.complete(ioError(io, "CEV_CANCELLED", "cancelled before it was submitted", this.owner.name));
  }

  #end(): void {
    if (this.#isDecided) {
      if (this.#isReleased) this.#pool.reclaim(this);
      return;
    }
    this.#isDecided = true;
    this.io.complete();
  }
}

/** A layer's compound events, used again and again: nothing is allocated in the steady state. */
export class CompoundIoPool {
  readonly owner: { readonly name: string };
  readonly #free: CompoundIo[] = [];

  /** `owner`: the layer that splits, for those who watch. */
  constructor(owner: { readonly name: string }) {
    this.owner = owner;
  }

  /** Begins a compound event over an `Io` that is under way. */
  over(io: Io, collation: Collation, context: unknown = null): CompoundIo {
    const compound = this.#free.pop() ?? new CompoundIo(this, io, collation);
    compound.begin(io, collation, context);
    return compound;
  }

  /** @internal */
  reclaim(compound: CompoundIo): void {
    compound.context = null;
    this.#free.push(compound);
  }
}

/** Stands at the bottom of every sub-I/O's chain. */
function subEnded(io: Io, sub: SubIo): void {
  const { compound } = sub;
  if (compound.ended === null || sub.isCollated) {
    sub.isCollated = false;
    compound.countDown(io);
    return;
  }
  // It stays at the bottom while the collation runs, so that whatever the collation adds, holds or throws is through
  // before the sub-I/O counts as ended.
  io.entryCount = 2;
  sub.isCollated = true;
  compound.ended(compound, sub);
}

function mergeCompound(io: Io, compound: CompoundIo): void {
  compound.collation.merge(compound);
  // Held: the collation goes on in task context and needs the compound until then.
  if (io.state === EventState.held) io.pushAction(releaseCompound, compound);
  else compound.release();
}

function releaseCompound(_io: Io, compound: CompoundIo): void {
  compound.release();
}
