import { CompoundIoPool, Op, concatenate } from "@cev/core";
import type { Io, SubmitTarget } from "@cev/core";
import type { ParityEngine } from "./parity-engine.ts";
import { degradedError, readFailureOf } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import { Reconstruction } from "./reconstruction.ts";

/** Context of a read's action: one for each member, made once. */
interface MemberRead {
  /** Of the member, for those who watch. */
  readonly name: string;
  readonly member: Member;
  readonly reader: ChunkReader;
}

/**
 * Reads: what lies in one chunk goes down as the same `Io`, what crosses chunks is split; what is missing or cannot
 * be read is reconstructed from the other members.
 */
export class ChunkReader implements SubmitTarget {
  /** Where parts that are to be reconstructed go, as seen by those who watch. */
  readonly name: string;
  readonly #array: ParityEngine;
  readonly #parts: CompoundIoPool;
  readonly #reads: readonly MemberRead[];

  constructor(array: ParityEngine) {
    this.name = `${array.name} reconstruction`;
    this.#array = array;
    this.#parts = new CompoundIoPool(array);
    this.#reads = array.members.map((member) => ({ name: member.name, member, reader: this }));
  }

  /** A read anywhere in the array. */
  read(io: Io): void {
    const { map, members } = this.#array;
    if (io.length > map.chunkRest(io.offset)) return this.#readAcross(io);
    const member = members[map.memberOf(io.offset)]!;
    if (!member.isInSync) return this.submit(io);
    io.pushAction(afterRead, this.#reads[member.index]!);
    io.offset = member.dataStart + map.memberOffsetOf(io.offset);
    member.target.submit(io);
  }

  /** A read within one chunk whose member cannot serve it. */
  submit(io: Io): void {
    const { sliceLengthMax } = this.#array;
    if (io.length <= sliceLengthMax) {
      new Reconstruction(this.#array, io).start();
      return;
    }
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length; at += sliceLengthMax) {
      const length = Math.min(sliceLengthMax, io.length - at);
      compound.add(this, Op.read, io.offset + at, length, io.data, io.dataOffset + at);
    }
    compound.submit();
  }

  /** @internal The member has answered. */
  ended(io: Io, member: Member): void {
    io.offset = this.#array.map.arrayOffsetOf(member.index, io.offset - member.dataStart);
    const { error } = io;
    if (error === null) return;
    const failure = readFailureOf(error);
    if (failure === "request") return;
    if (failure === "lost") this.#array.array.failMember(member, error);
    if (this.#array.canReconstruct(io.offset, member.index)) {
      io.restart();
      const crossesPieces = (io.offset % PIECE_LENGTH) + io.length > PIECE_LENGTH;
      if (failure === "range" && crossesPieces) this.#readPieces(io, member);
      else this.submit(io);
      return;
    }
    io.error = degradedError(
      io,
      this.#array.name,
      `${member.name} cannot be read, and not enough of the array is left to reconstruct it`,
      error,
    );
    io.transferred = 0;
  }

  /** Something in a long range cannot be read: only the pieces that cannot are reconstructed. */
  #readPieces(io: Io, member: Member): void {
    const { map } = this.#array;
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const offset = io.offset + at;
      const length = Math.min(PIECE_LENGTH - (offset % PIECE_LENGTH), io.length - at);
      const memberOffset = member.dataStart + map.memberOffsetOf(offset);
      const part = compound.add(member.target, Op.read, memberOffset, length, io.data, io.dataOffset + at);
      part.io.pushAction(afterRead, this.#reads[member.index]!);
      at += length;
    }
    compound.submit();
  }

  #readAcross(io: Io): void {
    const { map, members } = this.#array;
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const offset = io.offset + at;
      const length = Math.min(map.chunkRest(offset), io.length - at);
      const member = members[map.memberOf(offset)]!;
      if (member.isInSync) {
        const memberOffset = member.dataStart + map.memberOffsetOf(offset);
        const part = compound.add(member.target, Op.read, memberOffset, length, io.data, io.dataOffset + at);
        part.io.pushAction(afterRead, this.#reads[member.index]!);
      } else {
        compound.add(this, Op.read, offset, length, io.data, io.dataOffset + at);
      }
      at += length;
    }
    compound.submit();
  }
}

function afterRead(io: Io, { member, reader }: MemberRead): void {
  reader.ended(io, member);
}
