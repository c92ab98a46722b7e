import { Io, Op } from "@cev/core";
import type { Member } from "../array/member.ts";
import type { ParityEngine } from "./parity-engine.ts";

/**
 * Writes what a member could not read back to it, and reads it again: a sector that cannot be read is often given a new
 * place when it is written. A member that does not have it then is failed.
 */
export class WriteBack {
  readonly #engine: ParityEngine;
  readonly #io: Io;
  readonly #owner: { onWrittenBack(): void };
  #member: Member | null = null;

  /** `owner` is told when it is over, however it went. */
  constructor(engine: ParityEngine, owner: { onWrittenBack(): void }) {
    this.#engine = engine;
    this.#io = new Io(engine.environment.runQueue);
    this.#owner = owner;
  }

  /** Writes `length` bytes of `data` to `offset` on the member; the read goes to the same memory. */
  start(member: Member, offset: number, length: number, data: Uint8Array, dataOffset: number): void {
    this.#member = member;
    this.#io.prepare(Op.write, offset, length, data, dataOffset);
    this.#io.setOwner(written, this);
    member.target.submit(this.#io);
  }

  /** @internal Is it readable now? */
  onWritten(): void {
    const io = this.#io;
    if (io.error !== null) return this.onReadAgain();
    io.prepare(Op.read, io.offset, io.length, io.data, io.dataOffset);
    io.setOwner(readAgain, this);
    this.#member!.target.submit(io);
  }

  /** @internal */
  onReadAgain(): void {
    const { error } = this.#io;
    const member = this.#member!;
    this.#member = null;
    if (error !== null && error.code !== "CEV_CANCELLED") this.#engine.array.failMember(member, error);
    this.#owner.onWrittenBack();
  }
}

function written(_io: Io, back: WriteBack): void {
  back.onWritten();
}

function readAgain(_io: Io, back: WriteBack): void {
  back.onReadAgain();
}
