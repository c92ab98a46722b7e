import type { CevError, Io } from "@cev/core";
import { degradedError } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import { endIo, holdChain, restartIo } from "./end-io.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { checkParity, recoverData } from "./slice-parity.ts";
import { planRecovery, planVerifiedRecovery } from "./slice-plan.ts";
import type { StripeLock } from "./stripe-locks.ts";
import { StripeSlice } from "./stripe-slice.ts";
import type { SliceOwner } from "./stripe-slice.ts";
import { WriteBack } from "./write-back.ts";

/** Who has reads reconstructed. */
export interface ReconstructionOwner {
  /** It is over and may be used again. */
  ended(reconstruction: Reconstruction): void;
  /** So long a range cannot be had as a whole: it is under way again, for shorter ones to be tried. */
  readShorter(io: Io): void;
}

/**
 * One read, within one chunk, of what its member cannot deliver: the same range of the others is read under the lock of
 * the stripe, so that no write is half done, and what is missing worked out. Where the member lives, the range is
 * written back to it. Used again for one read after the other.
 */
export class Reconstruction implements SliceOwner {
  /** The array's, for those who watch. */
  readonly name: string;
  readonly #engine: ParityEngine;
  readonly #owner: ReconstructionOwner;
  readonly #slice: StripeSlice;
  readonly #writeBack: WriteBack;
  #io: Io | null = null;
  #member: Member | null = null;
  #column = 0;
  /** Where in the slice the request begins. */
  #skip = 0;
  #lock: StripeLock | null = null;

  constructor(engine: ParityEngine, owner: ReconstructionOwner) {
    this.name = engine.name;
    this.#engine = engine;
    this.#owner = owner;
    this.#slice = new StripeSlice(engine, this);
    this.#writeBack = new WriteBack(engine, this);
  }

  start(io: Io): void {
    const { map, members, locks } = this.#engine;
    this.#io = io;
    this.#member = members[map.memberOf(io.offset)]!;
    locks.acquire(map.stripeOf(io.offset), false, locked, this);
  }

  /** @internal No write is under way in this stripe. */
  onLocked(lock: StripeLock): void {
    const { map, sliceLengthMax } = this.#engine;
    const io = this.#io!;
    const member = this.#member!;
    this.#lock = lock;
    const memberOffset = map.memberOffsetOf(io.offset);
    const row = memberOffset - lock.stripe * map.chunkSize;
    // What is to be written back is made of whole pages: a disk may be unable to write a part of one.
    const isWhole = member.isInSync && this.#engine.array.canRepair;
    const unit = isWhole ? Math.min(PIECE_LENGTH, sliceLengthMax) : 1;
    const start = row - (row % unit);
    this.#skip = row - start;
    this.#slice.begin(lock.stripe, start, Math.ceil((row + io.length) / unit) * unit);
    this.#column = this.#slice.columns.columnOf(member.index);
    this.#slice.read(io);
  }

  /** Everything but the column itself. */
  plan(): boolean {
    const slice = this.#slice;
    const { readable, uses } = slice;
    const wasReadable = readable[this.#column]!;
    readable[this.#column] = 0;
    const canRecover = slice.isUnsynced ? planVerifiedRecovery(slice, uses) : planRecovery(slice, uses);
    readable[this.#column] = wasReadable;
    return canRecover;
  }

  onRead(): void {
    const slice = this.#slice;
    const io = this.#io!;
    recoverData(slice);
    if (slice.isUnsynced && checkParity(slice, 0, slice.length) !== 0) return this.onLost(null);
    const { bytes } = slice.buffer!;
    const at = slice.places[this.#column]!;
    io.data.set(bytes.subarray(at + this.#skip, at + this.#skip + io.length), io.dataOffset);
    const member = this.#member!;
    const { start, end } = slice;
    // Where it is known to be bad already there is nothing to be found out by writing it.
    if (!member.isInSync || !member.canRead(start, end) || !this.#engine.array.canRepair)
      return this.#end(null);
    holdChain(io);
    this.#writeBack.start(member, slice.offsetOf(this.#column), slice.length, bytes, at);
  }

  /** @internal */
  onWrittenBack(): void {
    this.#end(null);
  }

  onLost(cause: CevError | null): void {
    const io = this.#io!;
    // What cannot be read may lie in different rows: then each can be done without.
    if (this.#slice.length > PIECE_LENGTH && this.#slice.hasGaps) {
      this.#leave();
      this.#owner.ended(this);
      restartIo(io);
      this.#owner.readShorter(io);
      return;
    }
    const message =
      `${this.#member!.name} cannot be reconstructed: ` +
      (cause === null
        ? "too much else of the stripe is missing or the parity is not known to be right"
        : "another member cannot be read either");
    this.#end(degradedError(io, this.name, message, cause ?? undefined));
  }

  onFailed(error: CevError): void {
    this.#end(error);
  }

  #end(error: CevError | null): void {
    const io = this.#io!;
    this.#leave();
    this.#owner.ended(this);
    endIo(io, error);
  }

  #leave(): void {
    const lock = this.#lock!;
    this.#slice.release();
    this.#lock = null;
    this.#io = null;
    this.#engine.locks.release(lock);
  }
}

function locked(lock: StripeLock, reconstruction: Reconstruction): void {
  reconstruction.onLocked(lock);
}
