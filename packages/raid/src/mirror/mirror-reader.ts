import { CompoundIoPool, Op, concatenate } from "@cev/core";
import type { CevError, CompoundIo, Io, SubmitTarget } from "@cev/core";
import { cancelled, degradedError, readFailureOf } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { worldError } from "../array/metadata-writer.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { CopyPlace, ReadLane } from "./copy-choice.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import { readAndRepair } from "./piece-repair.ts";
import { hasBadBlocks } from "./written-bad-blocks.ts";

/** One read on its way through the copies. Context of the request's action; used again and again. */
class MirrorRead implements CopyPlace {
  readonly reader: MirrorReader;
  offset = 0.5;
  copy = 0;
  memberOffset = 0.5;
  readonly tried: number[] = [];
  /** What cannot be read may be written back. */
  mayRepair = true;
  member: Member | null = null;
  lane: ReadLane | null = null;

  constructor(reader: MirrorReader) {
    this.reader = reader;
  }

  /** For those who watch. */
  get name(): string {
    return this.member?.name ?? this.reader.name;
  }
}

/** Goes to one copy first, and to the others where that cannot be read. */
interface CopyTarget extends SubmitTarget {
  readonly copy: number;
}

/**
 * Reads: what lies in one piece on each of its members goes down to one of them as the same `Io`; longer reads are
 * split. What cannot be read is had from another copy and written back, as md does.
 */
export class MirrorReader implements SubmitTarget {
  readonly name: string;
  readonly #array: MirrorEngine;
  readonly #parts: CompoundIoPool;
  readonly #free: MirrorRead[] = [];
  readonly #copies: CopyTarget[] = [];

  constructor(array: MirrorEngine) {
    this.name = `${array.name} copies`;
    this.#array = array;
    this.#parts = new CompoundIoPool(array);
  }

  /** A read anywhere in the array. */
  read(io: Io): void {
    const { map } = this.#array;
    if (io.length <= map.chunkRest(io.offset)) return this.submit(io);
    const compound = this.#parts.over(io, concatenate);
    // All copies are chosen before the first part is submitted: the choice does not hang on who answers how soon.
    for (let at = 0; at < io.length;) {
      const offset = io.offset + at;
      const length = Math.min(map.chunkRest(offset), io.length - at);
      this.#addPart(compound, offset, length, io.dataOffset + at);
      at += length;
    }
    compound.submit();
  }

  /** A read of what lies in one piece on each of its members. */
  submit(io: Io): void {
    const read = this.#begin(io.offset);
    if (this.#array.choice.choose(read, io.length)) return this.#submitTo(io, read);
    const { offset, length } = io;
    this.#release(read);
    // Perhaps every part can be had, each from another copy.
    if (crossesPieces(offset, length)) return this.#readPieces(io, this);
    const { blockSize, members } = this.#array;
    if (length > blockSize && hasBadBlocks(members)) return this.#readPieces(io, this, blockSize);
    io.complete(this.#unreadable(io, null));
  }

  /** @internal A read that begins with this copy. */
  submitFirst(io: Io, copy: number): void {
    const { map, members } = this.#array;
    const read = this.#begin(io.offset);
    read.copy = copy;
    read.memberOffset = map.memberOffsetOf(io.offset, copy);
    const member = members[map.memberOf(io.offset, copy)]!;
    if (member.canRead(read.memberOffset, read.memberOffset + io.length)) return this.#submitTo(io, read);
    this.#release(read);
    this.submit(io);
  }

  /** @internal The copy has answered. */
  ended(io: Io, read: MirrorRead): void {
    io.offset = read.offset;
    read.lane!.pendingCount--;
    if (io.error === null) this.#release(read);
    else this.#failed(io, read, io.error);
  }

  #begin(offset: number): MirrorRead {
    const read = this.#free.pop() ?? new MirrorRead(this);
    read.offset = offset;
    read.mayRepair = true;
    return read;
  }

  #release(read: MirrorRead): void {
    if (read.tried.length > 0) read.tried.length = 0;
    this.#free.push(read);
  }

  #addPart(compound: CompoundIo, offset: number, length: number, dataOffset: number): void {
    const { data } = compound.io;
    const read = this.#begin(offset);
    if (!this.#array.choice.choose(read, length)) {
      this.#release(read);
      compound.add(this, Op.read, offset, length, data, dataOffset);
      return;
    }
    const member = this.#chosen(read, length);
    const at = member.dataStart + read.memberOffset;
    compound.add(member.target, Op.read, at, length, data, dataOffset).io.pushAction(copyRead, read);
  }

  #submitTo(io: Io, read: MirrorRead): void {
    const member = this.#chosen(read, io.length);
    io.pushAction(copyRead, read);
    io.offset = member.dataStart + read.memberOffset;
    member.target.submit(io);
  }

  /** The member of the copy that was chosen: the read counts as under way there. */
  #chosen(read: MirrorRead, length: number): Member {
    const { choice, map, members } = this.#array;
    const member = members[map.memberOf(read.offset, read.copy)]!;
    const lane = choice.laneOf(member.index);
    read.member = member;
    read.lane = lane;
    lane.pendingCount++;
    lane.nextOffset = read.memberOffset + length;
    return member;
  }

  /** Runs in the request's chain. */
  #failed(io: Io, read: MirrorRead, error: CevError): void {
    const { array, choice } = this.#array;
    const member = read.member!;
    const failure = readFailureOf(error);
    if (failure === "request") return this.#release(read);
    if (failure === "lost") array.failMember(member, error);
    if (io.isCancelRequested) {
      this.#release(read);
      // Nobody looks for another copy: that says nothing about the array.
      io.error = cancelled(io, this.name);
      io.transferred = 0;
      return;
    }
    const crosses = crossesPieces(io.offset, io.length);
    if (failure === "range" && read.mayRepair && array.canRepair && member.takesWrites) {
      const { copy } = read;
      this.#release(read);
      // Only the pieces that cannot be read are written anew.
      if (!crosses) return this.#repair(io, copy);
      io.restart();
      return this.#readPieces(io, this.#copyTarget(copy));
    }
    read.tried.push(read.copy);
    if (choice.choose(read, io.length)) {
      io.restart();
      return this.#submitTo(io, read);
    }
    this.#release(read);
    if (crosses) {
      io.restart();
      return this.#readPieces(io, this);
    }
    io.error = this.#unreadable(io, { member, error });
    io.transferred = 0;
  }

  /** Piece by piece: what cannot be read of a long range may be a small part of it. */
  #readPieces(io: Io, target: SubmitTarget, step = PIECE_LENGTH): void {
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const offset = io.offset + at;
      const length = Math.min(step - (offset % step), io.length - at);
      compound.add(target, Op.read, offset, length, io.data, io.dataOffset + at);
      at += length;
    }
    compound.submit();
  }

  #copyTarget(copy: number): CopyTarget {
    let target = this.#copies.find((one) => one.copy === copy);
    if (target === undefined) {
      target = { name: `${this.name} from ${copy} on`, copy, submit: (io) => this.submitFirst(io, copy) };
      this.#copies.push(target);
    }
    return target;
  }

  /** Within one piece, one copy of which cannot be read. */
  #repair(io: Io, copy: number): void {
    io.hold();
    readAndRepair(this.#array, io, copy).then(
      () => {
        io.error = null;
        io.transferred = io.length;
        io.resume();
      },
      (error: unknown) => this.#notRepaired(io, copy, worldError(error)),
    );
  }

  /** The piece cannot be had as a whole; what is wanted of it, perhaps. */
  #notRepaired(io: Io, copy: number, error: CevError): void {
    const read = this.#begin(io.offset);
    read.mayRepair = false;
    read.tried.push(copy);
    if (error.code === "CEV_DEGRADED" && this.#array.choice.choose(read, io.length)) {
      io.restart();
      return this.#submitTo(io, read);
    }
    this.#release(read);
    io.error = error;
    io.resume();
  }

  #unreadable(io: Io, cause: { readonly member: Member; readonly error: CevError } | null): CevError {
    const message =
      cause === null
        ? "no copy of it can be read"
        : `${cause.member.name} cannot be read, nor any other copy`;
    return degradedError(io, this.#array.name, message, cause?.error);
  }
}

function crossesPieces(offset: number, length: number): boolean {
  return (offset % PIECE_LENGTH) + length > PIECE_LENGTH;
}

function copyRead(io: Io, read: MirrorRead): void {
  read.reader.ended(io, read);
}
