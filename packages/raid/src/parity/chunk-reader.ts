import { CompoundIoPool, Op, concatenate } from "@cev/core";
import type { CompoundIo, Io, SubmitTarget } from "@cev/core";
import { degradedError, readFailureOf } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { Reconstruction } from "./reconstruction.ts";
import type { ReconstructionOwner } from "./reconstruction.ts";

/** Context of a read's action: one for each member, made once. */
class MemberRead {
  readonly member: Member;
  readonly reader: ChunkReader;

  constructor(member: Member, reader: ChunkReader) {
    this.member = member;
    this.reader = reader;
  }

  /** Of the member, for those who watch. */
  get name(): string {
    return this.member.name;
  }
}

/**
 * Reads: what lies in one chunk goes down as the same `Io`, what crosses chunks is split; what is missing or cannot
 * be read is reconstructed from the other members.
 */
export class ChunkReader implements SubmitTarget, ReconstructionOwner {
  /** Where parts that are to be reconstructed go, as seen by those who watch. */
  readonly name: string;
  readonly #engine: ParityEngine;
  readonly #parts: CompoundIoPool;
  readonly #reads: readonly MemberRead[];
  readonly #free: Reconstruction[] = [];

  constructor(engine: ParityEngine) {
    this.name = `${engine.name} reconstruction`;
    this.#engine = engine;
    this.#parts = new CompoundIoPool(engine);
    this.#reads = engine.members.map((member) => new MemberRead(member, this));
  }

  /** A read anywhere in the array. */
  read(io: Io): void {
    const { map, members } = this.#engine;
    if (io.length > map.chunkRest(io.offset)) return this.#readAcross(io);
    const member = members[map.memberOf(io.offset)]!;
    const start = map.memberOffsetOf(io.offset);
    if (!member.canRead(start, start + io.length)) return this.submit(io);
    io.pushAction(afterRead, this.#reads[member.index]!);
    io.offset = member.dataStart + start;
    member.target.submit(io);
  }

  /** A read within one chunk whose member cannot serve it. */
  submit(io: Io): void {
    const { sliceLengthMax } = this.#engine;
    if (io.length > sliceLengthMax) return this.#reconstructParts(io, sliceLengthMax);
    const reconstruction = this.#free.pop() ?? new Reconstruction(this.#engine, this);
    reconstruction.start(io);
  }

  /** @internal */
  ended(reconstruction: Reconstruction): void {
    this.#free.push(reconstruction);
  }

  /** @internal */
  readShorter(io: Io): void {
    this.#reconstructParts(io, PIECE_LENGTH);
  }

  /** @internal The member has answered. */
  onMemberRead(io: Io, member: Member): void {
    const { map, array } = this.#engine;
    const start = io.offset - member.dataStart;
    io.offset = map.arrayOffsetOf(member.index, start);
    const { error } = io;
    if (error === null) return;
    const failure = readFailureOf(error);
    if (failure === "request") return;
    if (failure === "lost") array.failMember(member, error);
    const crossesPieces = (io.offset % PIECE_LENGTH) + io.length > PIECE_LENGTH;
    if (failure === "range" && crossesPieces) {
      io.restart();
      this.#readPieces(io, member);
      return;
    }
    if (this.#engine.canReconstruct(start, start + io.length, member.index)) {
      io.restart();
      this.submit(io);
      return;
    }
    io.error = degradedError(
      io,
      this.#engine.name,
      `${member.name} cannot be read, and not enough of the array is left to reconstruct it`,
      error,
    );
    io.transferred = 0;
  }

  /** Something in a long range cannot be read: only the pieces that cannot are reconstructed. */
  #readPieces(io: Io, member: Member): void {
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const length = Math.min(PIECE_LENGTH - ((io.offset + at) % PIECE_LENGTH), io.length - at);
      this.#addRead(compound, io, at, length, member);
      at += length;
    }
    compound.submit();
  }

  #readAcross(io: Io): void {
    const { map, members } = this.#engine;
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const length = Math.min(map.chunkRest(io.offset + at), io.length - at);
      const member = members[map.memberOf(io.offset + at)]!;
      const start = map.memberOffsetOf(io.offset + at);
      if (member.canRead(start, start + length)) this.#addRead(compound, io, at, length, member);
      else compound.add(this, Op.read, io.offset + at, length, io.data, io.dataOffset + at);
      at += length;
    }
    compound.submit();
  }

  #addRead(compound: CompoundIo, io: Io, at: number, length: number, member: Member): void {
    const offset = member.dataStart + this.#engine.map.memberOffsetOf(io.offset + at);
    const part = compound.add(member.target, Op.read, offset, length, io.data, io.dataOffset + at);
    part.io.pushAction(afterRead, this.#reads[member.index]!);
  }

  /** Reconstructs a range in parts that cross no multiple of `lengthMax`. */
  #reconstructParts(io: Io, lengthMax: number): void {
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const offset = io.offset + at;
      const length = Math.min(lengthMax - (offset % lengthMax), io.length - at);
      compound.add(this, Op.read, offset, length, io.data, io.dataOffset + at);
      at += length;
    }
    compound.submit();
  }
}

function afterRead(io: Io, { member, reader }: MemberRead): void {
  reader.onMemberRead(io, member);
}
