import type { CevError, Collation, CompoundIo, Io, Op, SubIo } from "@cev/core";
import { isWorthRedoing, redoHalf } from "../array/half-write.ts";
import type { HalfWrite } from "../array/half-write.ts";
import type { Member } from "../array/member.ts";
import { holdChain, restartIo } from "./end-io.ts";
import type { ParityEngine } from "./parity-engine.ts";

/** A member that had no room for what was written to it. */
export interface FullMember {
  readonly member: Member;
  readonly error: CevError;
}

/** Who writes to the members. */
export interface MemberWritesOwner {
  /** Every member holds what was written, or has been failed. */
  onWritten(): void;
  /** Members are full, which is no reason to fail them; what they hold of the range is not known. */
  onFull(full: readonly FullMember[]): void;
  /** No member offers it; nothing was done. */
  onRefused(error: CevError): void;
}

/**
 * The writes of data and parity to the members, all at once, and what follows from those that fail: the member is failed,
 * but half a stripe does not stay. Used for one set of writes after the other.
 */
export class MemberWrites implements HalfWrite {
  readonly #engine: ParityEngine;
  readonly #owner: MemberWritesOwner;
  #io: Io | null = null;
  #compound: CompoundIo | null = null;
  #start: number = Number.NaN;
  #end: number = Number.NaN;

  constructor(engine: ParityEngine, owner: MemberWritesOwner) {
    this.#engine = engine;
    this.#owner = owner;
  }

  /** Begins a set over a request that is under way or whose chain runs; [start, end) is of the members' data. */
  begin(io: Io, start: number, end: number): void {
    restartIo(io);
    this.#io = io;
    this.#start = start;
    this.#end = end;
    this.#compound = this.#engine.compounds.over(io, WRITE_NEW, this);
  }

  /** One more write; `offset` counts from where the member begins. */
  add(
    member: Member,
    op: Op,
    offset: number,
    length: number,
    data: Uint8Array | null,
    dataOffset: number,
    flags: number,
  ): void {
    const { target, index } = member;
    this.#compound!.add(target, op, offset, length, data, dataOffset, flags).tag = index;
  }

  submit(): void {
    const compound = this.#compound!;
    this.#compound = null;
    compound.submit();
  }

  /** @internal All writes have ended: those that failed fail their members. */
  merge(compound: CompoundIo): void {
    if (compound.firstError() === null) return this.#owner.onWritten();
    const { array, members } = this.#engine;
    const failed: SubIo[] = [];
    let leftCount = 0;
    let refusedCount = 0;
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      const { error } = sub.io;
      if (error === null) continue;
      if (error.code === "CEV_NOT_SUPPORTED") refusedCount++;
      if (isLeft(error)) leftCount++;
      else failed.push(sub);
    }
    if (refusedCount === compound.subCount) return this.#owner.onRefused(compound.firstError()!);
    const isFull = failed.length > 0 && failed.every(({ io }) => io.error!.code === "CEV_NO_SPACE");
    if (isFull && leftCount === 0 && array.lostCount === 0) {
      return this.#owner.onFull(failed.map(({ io, tag }) => ({ member: members[tag]!, error: io.error! })));
    }
    for (const { io, tag } of failed) this.fail(members[tag]!, io.error!);
    if (leftCount === 0) return this.#owner.onWritten();
    // Half a stripe must not stay.
    holdChain(this.#io!);
    redoHalf(compound, this, isLeft);
  }

  /** A write to this member failed: what it holds of the range is not known. */
  fail(member: Member, cause: CevError): void {
    this.#engine.array.failMember(member, cause, { start: this.#start, end: this.#end });
  }

  /** @internal */
  redoFailed(tag: number, error: CevError): void {
    this.fail(this.#engine.members[tag]!, error);
  }

  /** @internal */
  redone(): void {
    this.#owner.onWritten();
  }
}

const WRITE_NEW: Collation = {
  name: "data and parity",
  ended: null,
  merge(compound) {
    (compound.context as MemberWrites).merge(compound);
  },
};

/** It says nothing about the member: done again, slowly where it was not offered fast, it may well succeed. */
function isLeft(error: CevError | null): boolean {
  return isWorthRedoing(error) || error?.code === "CEV_NOT_SUPPORTED";
}
