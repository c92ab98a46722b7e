import { EventState, IoFlag, Op } from "@cev/core";
import type { CevError, Collation, CompoundIo, Io, RangeLockEntry } from "@cev/core";
import { cancelled, degradedError } from "../array/failure.ts";
import { isWorthRedoing, redoHalf, redoSubs } from "../array/half-write.ts";
import type { HalfWrite } from "../array/half-write.ts";
import type { Member } from "../array/member.ts";
import { worldError } from "../array/metadata-writer.ts";
import { equaliseTo } from "./copy-sync.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import { memberRuns } from "./mirror-runs.ts";
import { clearBadBlocks, hasBadBlocks, writtenBadBlocks } from "./written-bad-blocks.ts";

/**
 * One write, discard or write-zeroes under the lock of its range, so that what overlaps comes one after the other and
 * leaves all copies equal: to every copy at once, the data from the caller's own memory. Used again and again.
 */
export class MirrorWrite implements HalfWrite {
  /** The array's, for those who watch. */
  readonly name: string;
  readonly #array: MirrorEngine;
  readonly #writer: { ended(write: MirrorWrite): void };
  #io: Io | null = null;
  #lock: RangeLockEntry | null = null;
  #isBegun = false;
  /** Some copies may hold it, and others not. */
  #isTorn = false;

  constructor(array: MirrorEngine, writer: { ended(write: MirrorWrite): void }) {
    this.name = array.name;
    this.#array = array;
    this.#writer = writer;
  }

  start(io: Io): void {
    this.#io = io;
    this.#isBegun = false;
    this.#isTorn = false;
    // At the bottom of what the array puts on the chain: runs when all is done, whatever came of it.
    io.pushAction(writeEnded, this);
    this.#array.locks.acquire(io.offset, io.length, true, locked, this);
  }

  /** @internal Nobody else writes there. */
  onLocked(lock: RangeLockEntry): void {
    const io = this.#io!;
    const { keeper } = this.#array.array;
    this.#lock = lock;
    if (io.isCancelRequested) return io.complete(cancelled(io, this.name));
    if (keeper!.tryStartWrite(io.offset, io.offset + io.length)) this.onPrepared(null);
    else keeper!.startWrite(io.offset, io.offset + io.length, prepared, this);
  }

  /** @internal The metadata says that this range is about to change. */
  onPrepared(error: CevError | null): void {
    const io = this.#io!;
    if (error !== null) return io.complete(error);
    this.#isBegun = true;
    if (io.isCancelRequested) return io.complete(cancelled(io, this.name));
    if (this.#array.array.isBroken) return io.complete(this.#brokenError());
    this.#isTorn = true;
    const compound = this.#array.compounds.over(io, ALL_COPIES, this);
    if (io.op === Op.write) this.#addWrites(compound);
    else this.#addZeroesOrDiscards(compound);
    compound.submit();
  }

  /** @internal All copies have answered: members whose copy was not written are failed. */
  merge(compound: CompoundIo): void {
    if (compound.firstError() === null) return this.#settle();
    const io = this.#io!;
    let redoCount = 0;
    let refusedCount = 0;
    let fullCount = 0;
    let failedCount = 0;
    for (let index = 0; index < compound.subCount; index++) {
      const { error } = compound.subs[index]!.io;
      if (error === null) continue;
      failedCount++;
      if (isWorthRedoing(error)) redoCount++;
      else if (isTooSlow(io, error)) refusedCount++;
      else if (error.code === "CEV_NO_SPACE") fullCount++;
    }
    if (refusedCount === compound.subCount) {
      this.#isTorn = false;
      return this.#fail(compound.firstError()!);
    }
    if (fullCount === failedCount) return this.#keepFull(compound);
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      const { error } = sub.io;
      if (error !== null && !this.#isLeft(error)) this.redoFailed(sub.tag, error);
    }
    if (redoCount + refusedCount === 0) return this.#settle();
    io.hold();
    redoHalf(compound, this, (error) => error !== null && this.#isLeft(error));
  }

  redoFailed(tag: number, error: CevError): void {
    const io = this.#io!;
    const { array, members } = this.#array;
    array.failMember(members[tag]!, error, { start: io.offset, end: io.offset + io.length });
  }

  redone(): void {
    this.#settle();
  }

  /** @internal The last of all, in the request's chain. */
  onEnded(io: Io): void {
    const { keeper } = this.#array.array;
    const lock = this.#lock!;
    const isWhole = io.error === null || !this.#isTorn;
    if (this.#isBegun) keeper!.endWrite(io.offset, io.offset + io.length, isWhole);
    this.#io = null;
    this.#lock = null;
    this.#writer.ended(this);
    this.#array.locks.release(lock);
  }

  #addWrites(compound: CompoundIo): void {
    const { map, members } = this.#array;
    const { offset, length, data, dataOffset, flags } = this.#io!;
    for (let at = 0; at < length;) {
      const partLength = Math.min(map.chunkRest(offset + at), length - at);
      for (let copy = 0; copy < map.copyCount; copy++) {
        const member = members[map.memberOf(offset + at, copy)]!;
        if (!member.takesWrites) continue;
        const memberOffset = member.dataStart + map.memberOffsetOf(offset + at, copy);
        const { index, target } = member;
        compound.add(target, Op.write, memberOffset, partLength, data, dataOffset + at, flags).tag = index;
      }
      at += partLength;
    }
  }

  #addZeroesOrDiscards(compound: CompoundIo): void {
    const io = this.#io!;
    // Zeroes wherever they cost no more: they keep the copies equal.
    const op = this.#array.hasWriteZeroes ? Op.writeZeroes : io.op;
    const flags = op === io.op ? io.flags : io.flags & IoFlag.fua;
    const { map, members } = this.#array;
    for (const { member: index, start, end } of memberRuns(map, io.offset, io.length)) {
      const { device, takesWrites, target, dataStart } = members[index]!;
      // What one that came later does not offer, it need not do.
      if (!takesWrites || (op === Op.discard && device!.layer.support.discard === "none")) continue;
      compound.add(target, op, dataStart + start, end - start, null, 0, flags).tag = index;
    }
  }

  /**
   * A full member is no broken one: the write fails, the member stays, and the others are made to hold what it holds now.
   * Where that cannot be, the member is failed after all, and the others, some of which may hold the old data again, are
   * written anew.
   */
  #keepFull(compound: CompoundIo): void {
    const io = this.#io!;
    const error = compound.firstError()!;
    const full = new Set<Member>();
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      if (sub.io.error !== null) full.add(this.#array.members[sub.tag]!);
    }
    io.hold();
    equaliseTo(this.#array, { start: io.offset, end: io.offset + io.length }, full).then(
      () => {
        this.#isTorn = false;
        this.#fail(error);
      },
      () => {
        for (const member of full) this.redoFailed(member.index, error);
        const left = compound.subs
          .slice(0, compound.subCount)
          .filter(({ tag }) => this.#array.members[tag]!.takesWrites);
        if (this.#array.array.isBroken || left.length === 0) this.#settle();
        else redoSubs(left, this);
      },
    );
  }

  /** What was written is no bad block any more. */
  #settle(): void {
    const io = this.#io!;
    if (!hasBadBlocks(this.#array.members)) return this.#settleFailures();
    const written = writtenBadBlocks(this.#array, io);
    if (written.length === 0) return this.#settleFailures();
    if (io.state === EventState.running) io.hold();
    clearBadBlocks(this.#array, io, written).then(
      () => this.#settleFailures(),
      (error: unknown) => this.#fail(worldError(error)),
    );
  }

  /** Success is not told before the superblocks name the members that missed it. */
  #settleFailures(): void {
    const { array } = this.#array;
    const io = this.#io!;
    if (array.isBroken) return this.#fail(this.#brokenError());
    if (!array.keeper!.isUpdating) return this.#resume();
    if (io.state === EventState.running) io.hold();
    array.keeper!.whenSettled(settled, this);
  }

  /** @internal */
  onSettled(error: CevError | null): void {
    // Broken meanwhile: no superblock tells which members missed it.
    if (error === null && this.#array.array.isBroken) this.#fail(this.#brokenError());
    else if (error === null) this.#resume();
    else this.#fail(error);
  }

  #fail(error: CevError): void {
    this.#io!.error = error;
    this.#io!.transferred = 0;
    this.#resume();
  }

  #resume(): void {
    const io = this.#io!;
    if (io.state === EventState.held) io.resume();
  }

  /** What is to be done again, if perhaps more slowly. */
  #isLeft(error: CevError): boolean {
    return isWorthRedoing(error) || isTooSlow(this.#io!, error);
  }

  #brokenError(): CevError {
    const message = "the write is not complete: not enough members are left";
    return degradedError(this.#io!, this.name, message);
  }
}

const ALL_COPIES: Collation = {
  name: "all copies",
  ended: null,
  merge(compound) {
    (compound.context as MirrorWrite).merge(compound);
  },
};

/** The member can do it, but not fast. */
function isTooSlow(io: Io, error: CevError): boolean {
  return error.code === "CEV_NOT_SUPPORTED" && (io.flags & IoFlag.fastZero) !== 0;
}

function locked(lock: RangeLockEntry, write: MirrorWrite): void {
  write.onLocked(lock);
}

function prepared(error: CevError | null, write: MirrorWrite): void {
  write.onPrepared(error);
}

function settled(error: CevError | null, write: MirrorWrite): void {
  write.onSettled(error);
}

function writeEnded(io: Io, write: MirrorWrite): void {
  write.onEnded(io);
}
