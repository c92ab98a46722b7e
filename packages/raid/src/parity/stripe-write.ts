import { Io, IoFlag, Op } from "@cev/core";
import type { CancelTarget, CevError } from "@cev/core";
import { cancelled, degradedError } from "../array/failure.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import { endIo, holdChain } from "./end-io.ts";
import { MemberWrites } from "./member-writes.ts";
import type { FullMember, MemberWritesOwner } from "./member-writes.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { makeParity, recoverData, updateParity } from "./slice-parity.ts";
import { planWrite } from "./slice-plan.ts";
import type { ParityWay } from "./slice-plan.ts";
import { StripeCover } from "./stripe-cover.ts";
import type { StripeLock } from "./stripe-locks.ts";
import { StripeSlice } from "./stripe-slice.ts";
import type { SliceOwner } from "./stripe-slice.ts";
import type { StripeEntry } from "./stripe-table.ts";
import { restoreParity } from "./sync-slice.ts";
import { WriteContents } from "./write-contents.ts";

/**
 * One write of one stripe: of one request, or of several that were gathered while they waited. Band after band under the
 * stripe's lock, what the new parity needs is read, the parity is computed into memory of the pool, and data and parity
 * are written at once. Data goes down from the caller's own memory, unless a column of a band comes from several
 * requests. Used again for one stripe after the other.
 */
export class StripeWrite implements SliceOwner, MemberWritesOwner, CancelTarget, StripeEntry<StripeWrite> {
  /** The array's, for those who watch. */
  readonly name: string;
  /** @internal */
  following: StripeWrite | null = null;
  readonly #engine: ParityEngine;
  readonly #owner: { began(write: StripeWrite): void; ended(write: StripeWrite): void };
  readonly #cover: StripeCover;
  readonly #slice: StripeSlice;
  readonly #writes: MemberWrites;
  readonly #contents: WriteContents;
  /** Stands in for several requests. */
  readonly #own: Io;
  /** The request that goes through the phases: the only one, or `#own`. */
  #io: Io;
  #lock: StripeLock | null = null;
  #way: ParityWay = "none";
  /** What it touches, in bytes of the members' data. */
  #start: number = Number.NaN;
  #end: number = Number.NaN;
  #flags = 0;
  /** Gathered requests that nobody wants any more. */
  #cancelCount = 0;
  #isBegun = false;
  /** Some members may hold what is written, and others not. */
  #isTorn = false;
  /** Rows of a slice at most. */
  #lengthMax = 0;

  /** `owner` is told when no more requests can join, and when the object is free again. */
  constructor(
    engine: ParityEngine,
    owner: { began(write: StripeWrite): void; ended(write: StripeWrite): void },
  ) {
    this.name = engine.name;
    this.#engine = engine;
    this.#owner = owner;
    this.#cover = new StripeCover(engine.map);
    this.#slice = new StripeSlice(engine, this);
    this.#writes = new MemberWrites(engine, this);
    this.#contents = new WriteContents(this.#cover, this.#slice);
    this.#own = new Io(engine.environment.runQueue);
    this.#io = this.#own;
  }

  /** Takes up a stripe. */
  open(stripe: number): void {
    this.#cover.begin(stripe);
    this.#lengthMax = this.#engine.sliceLengthMax;
    this.#cancelCount = 0;
    this.#isBegun = false;
    this.#isTorn = false;
  }

  get stripe(): number {
    return this.#cover.stripe;
  }

  /** What stands in for requests that were gathered. */
  get gatheredInto(): Io {
    return this.#own;
  }

  /** A request joins, before it has begun. False where it overlaps another. */
  tryJoin(io: Io): boolean {
    return this.#cover.tryAdd(io);
  }

  start(): void {
    this.#engine.locks.acquire(this.#cover.stripe, true, locked, this);
  }

  /** @internal Nobody else writes or reconstructs in this stripe. */
  onLocked(lock: StripeLock): void {
    this.#lock = lock;
    this.#owner.began(this);
    this.#takeRequests();
    const { map, array } = this.#engine;
    const chunkStart = lock.stripe * map.chunkSize;
    this.#start = chunkStart + this.#cover.firstRow;
    this.#end = chunkStart + this.#cover.lastRow;
    const keeper = array.keeper!;
    if (keeper.tryStartWrite(this.#start, this.#end)) this.onPrepared(null);
    else keeper.startWrite(this.#start, this.#end, prepared, this);
  }

  /** @internal The metadata says that this stripe is about to change. */
  onPrepared(error: CevError | null): void {
    if (error !== null) return this.#finish(error);
    this.#isBegun = true;
    this.#nextBand(0);
  }

  /** One of several requests was cancelled: together they are when all were. */
  onCancel(): void {
    if (++this.#cancelCount === this.#cover.requests.length) this.#own.cancel();
  }

  plan(): boolean {
    const { array } = this.#engine;
    if (array.isBroken) return false;
    const slice = this.#slice;
    const { written } = this.#cover;
    const way = planWrite(slice, written, slice.isUnsynced, slice.uses);
    if (way === null) return false;
    this.#way = way;
    this.#contents.plan(way);
    return true;
  }

  onRead(): void {
    if (this.#way === "recover") recoverData(this.#slice);
    this.#contents.fill();
    if (this.#way === "modify") updateParity(this.#slice, this.#contents, this.#cover.written);
    else if (this.#way !== "none") makeParity(this.#slice, this.#contents, this.#slice.writable);
    this.#writeBand();
  }

  onLost(cause: CevError | null): void {
    if (!this.#engine.array.isBroken && this.#slice.length > PIECE_LENGTH && this.#slice.hasGaps) {
      // What cannot be read may lie in different rows: then each can be done without.
      this.#lengthMax = PIECE_LENGTH;
      return this.#nextBand(this.#slice.rowStart);
    }
    const message = "the stripe cannot be written: more of it is gone than the parity makes up for";
    this.#finish(degradedError(this.#io, this.name, message, cause ?? undefined));
  }

  onFailed(error: CevError): void {
    this.#finish(error);
  }

  onWritten(): void {
    const { array } = this.#engine;
    if (array.isBroken) return this.#finish(this.#incomplete());
    this.#isTorn = false;
    // Made from the data alone: it was of no account what the parity was before.
    if (this.#way === "full" || this.#way === "reconstruct")
      array.syncedByWrite(this.#slice.start, this.#slice.end);
    this.#nextBand(this.#cover.rowEnd);
  }

  /**
   * A full member is no broken one: the write fails, the member stays, and the parity is made to fit what the stripe
   * holds now. Where that cannot be, the member is failed after all. If it held parity alone, all the data is there;
   * otherwise the parity may fit what it held before by now, so that the write has failed too.
   */
  onFull(full: readonly FullMember[]): void {
    holdChain(this.#io);
    const { start, end } = this.#slice;
    this.#slice.release();
    restoreParity(this.#engine, start, end).then(
      () => {
        this.#isTorn = false;
        this.#finish(full[0]!.error);
      },
      () => {
        const { columns, dataCount } = this.#slice;
        const hadData = full.some(({ member }) => columns.columnOf(member.index) < dataCount);
        for (const { member, error } of full) this.#writes.fail(member, error);
        if (hadData) this.#finish(full[0]!.error);
        else this.onWritten();
      },
    );
  }

  onRefused(error: CevError): void {
    this.#isTorn = false;
    this.#finish(error);
  }

  /** @internal */
  onSettled(error: CevError | null): void {
    // Broken meanwhile: no superblock tells which members missed it.
    this.#complete(error === null && this.#engine.array.isBroken ? this.#incomplete() : error);
  }

  /** @internal The requests that were gathered end as the whole did. */
  onOwnEnded(): void {
    const { error } = this.#own;
    const { requests } = this.#cover;
    this.#leave(error);
    for (const io of requests) io.complete(error);
    this.#owner.ended(this);
  }

  /** A single request goes through the phases itself; several have one that stands in for them. */
  #takeRequests(): void {
    const { requests } = this.#cover;
    this.#flags = 0;
    for (const io of requests) this.#flags |= io.flags & IoFlag.fua;
    if (requests.length === 1) {
      this.#io = requests[0]!;
      return;
    }
    const first = requests[0]!;
    const last = requests.at(-1)!;
    this.#io = this.#own;
    this.#own.prepare(Op.write, first.offset, last.offset + last.length - first.offset);
    this.#own.setOwner(ownEnded, this);
    for (const io of requests) {
      if (io.isCancelRequested) this.onCancel();
      else io.pushAction(gathered, this);
    }
  }

  #nextBand(row: number): void {
    const cover = this.#cover;
    if (!cover.next(row, this.#lengthMax)) return this.#finish(null);
    this.#slice.begin(cover.stripe, cover.rowStart, cover.rowEnd);
    this.#slice.read(this.#io);
  }

  #writeBand(): void {
    const io = this.#io;
    if (io.isCancelRequested) return this.#finish(cancelled(io, this.name));
    const slice = this.#slice;
    const writes = this.#writes;
    const { dataCount, columns, writable, length, places, buffer } = slice;
    const { data, offsets } = this.#contents;
    writes.begin(io, slice.start, slice.end);
    for (let column = 0; column < columns.count; column++) {
      const isData = column < dataCount;
      if (isData && this.#cover.written[column] === 0) continue;
      const member = slice.memberOf(column);
      // One that has begun to take writes since this was planned is rebuilt later, with what is written now.
      if (writable[column] === 0 || !member.takesWrites) continue;
      const bytes = isData ? data[column]! : buffer!.bytes;
      const at = isData ? offsets[column]! : places[column]!;
      writes.add(member, Op.write, slice.offsetOf(column), length, bytes, at, this.#flags);
    }
    this.#isTorn = true;
    writes.submit();
  }

  /** Success is not told before the superblocks name the members that missed it. */
  #finish(error: CevError | null): void {
    const keeper = this.#engine.array.keeper!;
    if (error === null && keeper.isUpdating) {
      holdChain(this.#io);
      keeper.whenSettled(settled, this);
      return;
    }
    this.#complete(error);
  }

  #incomplete(): CevError {
    const message = "the write is not complete: more members have failed than the parity makes up for";
    return degradedError(this.#io, this.name, message);
  }

  #complete(error: CevError | null): void {
    const io = this.#io;
    if (io === this.#own) return endIo(io, error);
    this.#leave(error);
    this.#owner.ended(this);
    endIo(io, error);
  }

  #leave(error: CevError | null): void {
    const lock = this.#lock!;
    this.#slice.release();
    this.#contents.forget();
    this.#lock = null;
    const isWhole = error === null || !this.#isTorn;
    if (this.#isBegun) this.#engine.array.keeper!.endWrite(this.#start, this.#end, isWhole);
    this.#engine.locks.release(lock);
  }
}

function locked(lock: StripeLock, write: StripeWrite): void {
  write.onLocked(lock);
}

function prepared(error: CevError | null, write: StripeWrite): void {
  write.onPrepared(error);
}

function settled(error: CevError | null, write: StripeWrite): void {
  write.onSettled(error);
}

function ownEnded(_io: Io, write: StripeWrite): void {
  write.onOwnEnded();
}

/** Stands in a gathered request's chain, so that a cancel finds the write that it is part of. */
function gathered(): void {
  // Nothing is left to be done: the write has ended before the request does.
}
