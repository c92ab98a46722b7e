import { EventState, Io, IoFlag, Op } from "@cev/core";
import type { CevError, Collation, CompoundIo, PoolBuffer, SubIo } from "@cev/core";
import { cancelled, degradedError, noMemory, readFailureOf } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { PARITY_KERNEL } from "../kernels/parity-kernel.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { restoreParity } from "./resync.ts";
import type { StripeLock } from "./stripe-locks.ts";
import { StripePlace } from "./stripe-place.ts";
import { nextSlice } from "./stripe-slice.ts";
import type { ParityWay, StripeSlice } from "./stripe-slice.ts";

/**
 * One write within one stripe, slice after slice under the stripe's lock: what the new parity needs is read, the
 * parity is computed into memory of the pool, and data and parity are written at once. The data goes down from the
 * caller's own memory.
 */
export class StripeWrite {
  /** The array's, for those who watch. */
  readonly name: string;
  readonly #array: ParityEngine;
  readonly #writer: { ended(): void };
  readonly #io: Io;
  readonly #place: StripePlace;
  #lock: StripeLock | null = null;
  #slice: StripeSlice | null = null;
  #way: ParityWay = "none";
  #buffer: PoolBuffer | null = null;
  /** The member whose range could not be read for this slice. */
  #unreadable: Member | null = null;
  #redoCount = 0;
  #isBegun = false;
  /** Rows of a slice at most. */
  #lengthMax: number;

  constructor(array: ParityEngine, writer: { ended(): void }, io: Io) {
    this.name = array.name;
    this.#array = array;
    this.#writer = writer;
    this.#io = io;
    this.#place = new StripePlace(array, io);
    this.#lengthMax = array.sliceLengthMax;
  }

  start(): void {
    this.#array.locks.acquire(this.#place.stripe, true, locked, this);
  }

  /** @internal Nobody else writes or reconstructs in this stripe. */
  onLocked(lock: StripeLock): void {
    this.#lock = lock;
    const { keeper } = this.#array;
    const { start, end } = this.#place.range;
    if (keeper!.tryStartWrite(start, end)) this.onPrepared(null);
    else keeper!.startWrite(start, end, prepared, this);
  }

  /** @internal The metadata says that this stripe is about to change. */
  onPrepared(error: CevError | null): void {
    if (error !== null) return this.#finish(error);
    this.#isBegun = true;
    this.#nextSlice(0);
  }

  #nextSlice(row: number): void {
    const { start, end } = this.#place;
    this.#slice = nextSlice(this.#array.map, { start, end, lengthMax: this.#lengthMax }, row);
    this.#unreadable = null;
    if (this.#slice === null) this.#finish(null);
    else this.onRoom();
  }

  /** @internal Plans the slice, gets memory for it (waits where there is none), and begins it. */
  onRoom(): void {
    const { buffers, map } = this.#array;
    const slice = this.#slice!;
    const way = this.#place.parityWayOf(slice, this.#unreadable);
    // The room, if that is what came, is for the next.
    if (this.#io.isCancelRequested || way === null || way === "none") buffers.passRoomOn();
    if (this.#io.isCancelRequested) return this.#finish(cancelled(this.#io, this.name));
    if (way === null || this.#array.array.isBroken) {
      const message = "the stripe cannot be written: more members are gone than the parity makes up for";
      return this.#finish(degradedError(this.#io, this.name, message, this.#io.error));
    }
    this.#way = way;
    if (way === "none") return this.#writeSlice();
    this.#releaseBuffer();
    const writtenCount = slice.columnLast - slice.columnFirst + 1;
    const readCount = way === "full" ? 0 : way === "modify" ? writtenCount : map.dataCount - writtenCount;
    const length = (1 + readCount) * (slice.rowEnd - slice.rowStart);
    if (length > buffers.bytesMax) return this.#finish(noMemory(this.#io, this.name, length));
    this.#buffer = buffers.tryAcquire(length);
    if (this.#buffer === null) {
      this.#holdChain();
      buffers.waitForRoom(roomCame, this);
    } else if (way === "full") this.#writeSlice();
    else this.#readSlice();
  }

  #readSlice(): void {
    const { map, compounds } = this.#array;
    const { columnFirst, columnLast, rowStart, rowEnd } = this.#slice!;
    const isModify = this.#way === "modify";
    this.#restart();
    const compound = compounds.over(this.#io, READ_OLD, this);
    // The parity's place in the buffer comes first; it holds the old parity where that is needed.
    if (isModify) this.#addRead(compound, this.#place.parity, 0);
    let at = rowEnd - rowStart;
    for (let column = 0; column < map.dataCount; column++) {
      const isWritten = column >= columnFirst && column <= columnLast;
      if (isWritten !== isModify) continue;
      this.#addRead(compound, this.#place.memberOf(column), at);
      at += rowEnd - rowStart;
    }
    compound.submit();
  }

  /** @internal What the new parity needs has been read, or not. */
  mergeRead(compound: CompoundIo): void {
    let isLost = false;
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      const { error } = sub.io;
      if (error === null) continue;
      const member = this.#array.members[sub.tag]!;
      const failure = readFailureOf(error);
      if (failure === "request") return this.#finish(error);
      if (failure === "lost") this.#array.array.failMember(member, error);
      else if (this.#unreadable === null || this.#unreadable === member) this.#unreadable = member;
      else if (this.#lengthMax > PIECE_LENGTH) {
        // They may lie in different rows: then each can be done without.
        this.#lengthMax = PIECE_LENGTH;
        return this.#nextSlice(this.#slice!.rowStart);
      } else {
        const message = `the stripe cannot be written: ${this.#unreadable.name} and ${member.name} cannot be read`;
        return this.#finish(degradedError(this.#io, this.name, message, error));
      }
      this.#io.error = error;
      isLost = true;
    }
    // Planned anew, with what can be read now.
    if (isLost) return this.onRoom();
    this.#computeParity(compound.subCount);
    this.#writeSlice();
  }

  #computeParity(readCount: number): void {
    const { rowStart, rowEnd, columnFirst, columnLast } = this.#slice!;
    const { slab, address, bytes } = this.#buffer!;
    const length = rowEnd - rowStart;
    const kernel = slab.kernel(PARITY_KERNEL);
    kernel.begin();
    const first = this.#way === "modify" ? 0 : 1;
    for (let index = 0; index < readCount; index++) kernel.add(bytes, (first + index) * length);
    for (let column = columnFirst; column <= columnLast; column++)
      kernel.add(this.#io.data, this.#dataOffsetOf(column));
    kernel.xorTo(address, length);
  }

  #writeSlice(): void {
    const { rowStart, rowEnd, columnFirst, columnLast } = this.#slice!;
    const length = rowEnd - rowStart;
    if (this.#way === "full") this.#computeParity(0);
    if (this.#io.isCancelRequested) return this.#finish(cancelled(this.#io, this.name));
    this.#restart();
    const compound = this.#array.compounds.over(this.#io, WRITE_NEW, this);
    const flags = this.#io.flags & IoFlag.fua;
    for (let column = columnFirst; column <= columnLast; column++) {
      const member = this.#place.memberOf(column);
      if (!member.isInSync) continue;
      const { data } = this.#io;
      const offset = this.#place.memberOffsetOf(member, this.#slice!);
      compound.add(member.target, Op.write, offset, length, data, this.#dataOffsetOf(column), flags).tag =
        member.index;
    }
    if (this.#way !== "none" && this.#place.parity.isInSync) {
      const offset = this.#place.memberOffsetOf(this.#place.parity, this.#slice!);
      compound.add(this.#place.parity.target, Op.write, offset, length, this.#buffer!.bytes, 0, flags).tag =
        this.#place.parity.index;
    }
    compound.submit();
  }

  /** @internal All writes of the slice have ended: those that failed fail their members. */
  mergeWrite(compound: CompoundIo): void {
    this.#redoCount = 0;
    const failed: SubIo[] = [];
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      const { error } = sub.io;
      if (error === null) continue;
      if (isWorthRedoing(error)) this.#redoCount++;
      else failed.push(sub);
    }
    const isFull = failed.length > 0 && failed.every(({ io }) => io.error!.code === "CEV_NO_SPACE");
    if (isFull && this.#redoCount === 0 && this.#array.array.lostCount === 0) return this.#keepFull(failed);
    for (const { io, tag } of failed) this.#failMember(this.#array.members[tag]!, io.error!);
    if (this.#redoCount > 0) this.#redo(compound);
    else this.#sliceDone();
  }

  /**
   * A full member is no broken one: the write fails, the member stays, and the parity is made to fit what the stripe
   * holds now. Where that cannot be, the member is failed after all.
   */
  #keepFull(failed: readonly SubIo[]): void {
    const error = failed[0]!.io.error!;
    const members = failed.map(({ io, tag }) => ({ member: this.#array.members[tag]!, error: io.error! }));
    this.#holdChain();
    this.#releaseBuffer();
    restoreParity(this.#array, this.#place.rangeOf(this.#slice!)).then(
      () => this.#finish(error),
      () => {
        for (const full of members) this.#failMember(full.member, full.error);
        this.#sliceDone();
      },
    );
  }

  /**
   * Half a stripe must not stay: what a cancel (or a moment without memory) kept from being written is written after
   * all, outside the cancel's reach.
   */
  #redo(compound: CompoundIo): void {
    this.#holdChain();
    // Their memory stays what it is until the request goes on: that is after all of them have ended.
    const left = compound.subs.slice(0, compound.subCount).filter(({ io }) => isWorthRedoing(io.error));
    for (const { io, tag, lower } of left) {
      const again = new Io(io.runQueue).prepare(
        io.op,
        io.offset,
        io.length,
        io.data,
        io.dataOffset,
        io.flags,
      );
      again.setOwner(redone, { write: this, member: this.#array.members[tag]! });
      lower.submit(again);
    }
  }

  /** @internal */
  onRedone(again: Io, member: Member): void {
    if (again.error !== null) this.#failMember(member, again.error);
    if (--this.#redoCount === 0) this.#sliceDone();
  }

  /** A write of this slice failed: what the stripe holds there is not known. */
  #failMember(member: Member, cause: CevError): void {
    this.#array.array.failMember(member, cause, this.#place.rangeOf(this.#slice!));
  }

  #sliceDone(): void {
    if (this.#array.array.isBroken) {
      const message = "the write is not complete: more members have failed than the parity makes up for";
      return this.#finish(degradedError(this.#io, this.name, message));
    }
    this.#nextSlice(this.#slice!.rowEnd);
  }

  /** Success is not told before the superblocks name the members that missed it. */
  #finish(error: CevError | null): void {
    const keeper = this.#array.keeper!;
    if (error === null && keeper.isUpdating) {
      this.#holdChain();
      keeper.whenSettled(settled, this);
      return;
    }
    this.#end(error);
  }

  /** @internal */
  onSettled(error: CevError | null): void {
    this.#end(error);
  }

  #end(error: CevError | null): void {
    const io = this.#io;
    this.#releaseBuffer();
    const { start, end } = this.#place.range;
    if (this.#isBegun) this.#array.keeper!.endWrite(start, end, error === null);
    this.#array.locks.release(this.#lock!);
    this.#writer.ended();
    if (io.state === EventState.pending) {
      io.complete(error);
      return;
    }
    io.error = error;
    io.transferred = error === null ? io.length : 0;
    if (io.state === EventState.held) io.resume();
  }

  /** What follows comes in a later turn: the chain of actions, where it runs, must wait for it. */
  #holdChain(): void {
    if (this.#io.state === EventState.running) this.#io.hold();
  }

  /** The request is under way again, for the next of its phases. */
  #restart(): void {
    if (this.#io.state !== EventState.pending) this.#io.restart();
  }

  #addRead(compound: CompoundIo, member: Member, at: number): void {
    const { rowStart, rowEnd } = this.#slice!;
    const offset = this.#place.memberOffsetOf(member, this.#slice!);
    compound.add(member.target, Op.read, offset, rowEnd - rowStart, this.#buffer!.bytes, at).tag =
      member.index;
  }

  /** Where in the caller's memory the slice's part of a column lies. */
  #dataOffsetOf(column: number): number {
    return this.#io.dataOffset + this.#place.dataOffsetOf(column, this.#slice!);
  }

  #releaseBuffer(): void {
    if (this.#buffer !== null) this.#array.buffers.release(this.#buffer);
    this.#buffer = null;
  }
}

const READ_OLD: Collation = {
  name: "read for parity",
  ended() {},
  merge(compound) {
    (compound.context as StripeWrite).mergeRead(compound);
  },
};

const WRITE_NEW: Collation = {
  name: "data and parity",
  ended() {},
  merge(compound) {
    (compound.context as StripeWrite).mergeWrite(compound);
  },
};

/** It says nothing about the member: a second attempt may well succeed. */
function isWorthRedoing(error: CevError | null): boolean {
  return error?.code === "CEV_CANCELLED" || error?.code === "CEV_NO_MEMORY";
}

function locked(lock: StripeLock, write: StripeWrite): void {
  write.onLocked(lock);
}

function prepared(error: CevError | null, write: StripeWrite): void {
  write.onPrepared(error);
}

function roomCame(_pool: unknown, write: StripeWrite): void {
  write.onRoom();
}

function settled(error: CevError | null, write: StripeWrite): void {
  write.onSettled(error);
}

function redone(again: Io, context: { readonly write: StripeWrite; readonly member: Member }): void {
  context.write.onRedone(again, context.member);
}
