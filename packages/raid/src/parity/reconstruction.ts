import { Io, Op } from "@cev/core";
import type { CevError, Collation, CompoundIo, PoolBuffer } from "@cev/core";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { cancelled, degradedError, noMemory, readFailureOf } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { PARITY_KERNEL } from "../kernels/parity-kernel.ts";
import type { StripeLock } from "./stripe-locks.ts";

/**
 * One read, within one chunk, of what its member cannot deliver: the same range of all others is read under the lock
 * of the stripe, so that no write is half done, and XOR-ed. Where the member lives, the range is written back to it.
 */
export class Reconstruction {
  /** The array's, for those who watch. */
  readonly name: string;
  readonly #array: ParityEngine;
  readonly #io: Io;
  readonly #member: Member;
  readonly #stripe: number;
  /** The range that is reconstructed, of the members' data. */
  readonly #start: number;
  readonly #length: number;
  /** Where in that range the request begins. */
  readonly #skip: number;
  #lock: StripeLock | null = null;
  #buffer: PoolBuffer | null = null;

  constructor(array: ParityEngine, io: Io) {
    this.name = array.name;
    this.#array = array;
    this.#io = io;
    this.#member = array.members[array.map.memberOf(io.offset)]!;
    this.#stripe = array.map.stripeOf(io.offset);
    const memberOffset = array.map.memberOffsetOf(io.offset);
    // What is to be written back is made of whole pages: a disk may be unable to write a part of one.
    const unit =
      this.#member.isInSync && array.array.canRepair ? Math.min(PIECE_LENGTH, array.sliceLengthMax) : 1;
    this.#start = memberOffset - (memberOffset % unit);
    this.#length = Math.ceil((memberOffset + io.length) / unit) * unit - this.#start;
    this.#skip = memberOffset - this.#start;
  }

  start(): void {
    this.#array.locks.acquire(this.#stripe, false, locked, this);
  }

  /** @internal No write is under way in this stripe. */
  onLocked(lock: StripeLock): void {
    this.#lock = lock;
    this.onRoom();
  }

  /** @internal Tries to get memory; waits for it where there is none. */
  onRoom(): void {
    const { buffers, members } = this.#array;
    if (this.#io.isCancelRequested) {
      // The room, if that is what came, is for the next.
      buffers.passRoomOn();
      return this.#fail(cancelled(this.#io, this.name));
    }
    const length = (members.length - 1) * this.#length;
    if (length > buffers.bytesMax) return this.#fail(noMemory(this.#io, this.name, length));
    const buffer = buffers.tryAcquire(length);
    if (buffer === null) {
      buffers.waitForRoom(roomCame, this);
      return;
    }
    this.#buffer = buffer;
    this.#readOthers(buffer);
  }

  /** @internal All other members have answered. */
  merge(compound: CompoundIo): void {
    const io = this.#io;
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      const { error } = sub.io;
      if (error === null) continue;
      const member = this.#array.members[sub.tag]!;
      const failure = readFailureOf(error);
      if (failure === "lost") this.#array.array.failMember(member, error);
      const message = `${this.#member.name} cannot be reconstructed: ${member.name} cannot be read either`;
      io.error = failure === "request" ? error : degradedError(io, this.name, message, error);
      io.transferred = 0;
      this.#end();
      return;
    }
    this.#xor(compound.subCount);
    if (this.#member.isInSync && this.#array.array.canRepair) this.#writeBack();
    else this.#end();
  }

  #readOthers(buffer: PoolBuffer): void {
    const { members, compounds } = this.#array;
    const io = this.#io;
    if (!this.#array.canReconstruct(io.offset, this.#member.index)) {
      const message = `${this.#member.name} cannot be reconstructed: another member is missing or the parity is not known to be right`;
      return this.#fail(degradedError(io, this.name, message));
    }
    const compound = compounds.over(io, RECONSTRUCT, this);
    let at = 0;
    for (const member of members) {
      if (member === this.#member) continue;
      const offset = member.dataStart + this.#start;
      compound.add(member.target, Op.read, offset, this.#length, buffer.bytes, at).tag = member.index;
      at += this.#length;
    }
    compound.submit();
  }

  #xor(sourceCount: number): void {
    const { slab, address, bytes } = this.#buffer!;
    const { data, dataOffset, length } = this.#io;
    const parity = slab.kernel(PARITY_KERNEL);
    parity.begin();
    for (let index = 0; index < sourceCount; index++) parity.add(bytes, index * this.#length);
    parity.xorTo(address, this.#length);
    data.set(bytes.subarray(this.#skip, this.#skip + length), dataOffset);
  }

  /** A sector that cannot be read is often given a new place when it is written. */
  #writeBack(): void {
    const io = this.#io;
    io.hold();
    const repair = new Io(io.runQueue);
    const offset = this.#member.dataStart + this.#start;
    repair.prepare(Op.write, offset, this.#length, this.#buffer!.bytes);
    repair.setOwner(writtenBack, this);
    this.#member.target.submit(repair);
  }

  /** @internal The range was written back: is it readable now? */
  onWrittenBack(repair: Io): void {
    if (repair.error !== null) return this.onReadAgain(repair);
    repair.prepare(Op.read, repair.offset, repair.length, this.#buffer!.bytes);
    repair.setOwner(readAgain, this);
    this.#member.target.submit(repair);
  }

  /** @internal */
  onReadAgain(repair: Io): void {
    const { error } = repair;
    if (error !== null && error.code !== "CEV_CANCELLED") this.#array.array.failMember(this.#member, error);
    this.#end();
    this.#io.resume();
  }

  /** Before anything was submitted. */
  #fail(error: CevError): void {
    this.#end();
    this.#io.complete(error);
  }

  #end(): void {
    if (this.#buffer !== null) this.#array.buffers.release(this.#buffer);
    if (this.#lock !== null) this.#array.locks.release(this.#lock);
  }
}

/** The others' contents together are what is missing. */
const RECONSTRUCT: Collation = {
  name: "reconstruct",
  ended() {},
  merge(compound) {
    (compound.context as Reconstruction).merge(compound);
  },
};

function locked(lock: StripeLock, reconstruction: Reconstruction): void {
  reconstruction.onLocked(lock);
}

function roomCame(_pool: unknown, reconstruction: Reconstruction): void {
  reconstruction.onRoom();
}

function writtenBack(repair: Io, reconstruction: Reconstruction): void {
  reconstruction.onWrittenBack(repair);
}

function readAgain(repair: Io, reconstruction: Reconstruction): void {
  reconstruction.onReadAgain(repair);
}
