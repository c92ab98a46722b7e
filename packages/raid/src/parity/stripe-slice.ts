import { Op } from "@cev/core";
import type { CevError, Collation, CompoundIo, Io, PoolBuffer } from "@cev/core";
import { cancelled, noMemory, readFailureOf } from "../array/failure.ts";
import type { Member } from "../array/member.ts";
import { holdChain, restartIo } from "./end-io.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { Use } from "./slice-plan.ts";
import type { ColumnStates } from "./slice-plan.ts";
import { StripeColumns } from "./stripe-columns.ts";

/** Who works on a slice: told when what it planned is in memory. */
export interface SliceOwner {
  /**
   * Fills `uses` (and `copies`) by what can be read now. Called again when a read has failed. False: what is needed cannot
   * be had.
   */
  plan(): boolean;
  /** All that was planned has been read. */
  onRead(): void;
  /** What is needed cannot be had. `cause`: the last read that failed, if any. */
  onLost(cause: CevError | null): void;
  /** The request has failed; that says nothing about the members. */
  onFailed(error: CevError): void;
}

/**
 * Some rows of one stripe, and what of its columns is in memory. Reads what its owner plans, and has it planned anew
 * without what turns out to be unreadable. Made once and used for slice after slice.
 */
export class StripeSlice implements ColumnStates {
  readonly engine: ParityEngine;
  readonly columns: StripeColumns;
  readonly dataCount: number;
  readonly parityCount: number;
  /** Rows are bytes of a chunk. */
  rowStart = 0;
  rowEnd = 0;
  readonly readable: Uint8Array;
  readonly writable: Uint8Array;
  /** By column: a `Use`. */
  readonly uses: Uint8Array;
  /** By column, 1: it gets a second place in memory. */
  readonly copies: Uint8Array;
  /** By column, where in the buffer its place begins, and its second one. */
  readonly places: number[];
  readonly copyPlaces: number[];
  buffer: PoolBuffer | null = null;
  /** By column, 1: a read has failed here. */
  readonly #failed: Uint8Array;
  readonly #owner: SliceOwner;
  #io: Io | null = null;
  #cause: CevError | null = null;

  constructor(engine: ParityEngine, owner: SliceOwner) {
    this.engine = engine;
    this.columns = new StripeColumns(engine.map);
    this.dataCount = engine.map.dataCount;
    this.parityCount = engine.map.parityCount;
    const { count } = this.columns;
    this.readable = new Uint8Array(count);
    this.writable = new Uint8Array(count);
    this.uses = new Uint8Array(count);
    this.copies = new Uint8Array(count);
    this.places = new Array<number>(count).fill(0);
    this.copyPlaces = new Array<number>(count).fill(0);
    this.#failed = new Uint8Array(count);
    this.#owner = owner;
  }

  /** Moves to other rows; what was in memory is forgotten. */
  begin(stripe: number, rowStart: number, rowEnd: number): void {
    this.release();
    this.columns.locate(stripe);
    this.rowStart = rowStart;
    this.rowEnd = rowEnd;
    this.#failed.fill(0);
    this.#cause = null;
  }

  /** Gives the memory back. */
  release(): void {
    if (this.buffer === null) return;
    const { buffer } = this;
    this.buffer = null;
    this.engine.buffers.release(buffer);
  }

  get length(): number {
    return this.rowEnd - this.rowStart;
  }

  /** Where the rows begin, in bytes of the members' data. */
  get start(): number {
    return this.columns.stripe * this.engine.map.chunkSize + this.rowStart;
  }

  get end(): number {
    return this.columns.stripe * this.engine.map.chunkSize + this.rowEnd;
  }

  /** True where the redundancy of these rows may be wrong. */
  get isUnsynced(): boolean {
    return this.engine.array.isUnsynced(this.start, this.end);
  }

  memberOf(column: number): Member {
    return this.engine.members[this.columns.members[column]!]!;
  }

  /** Where on its member the rows of a column begin. */
  offsetOf(column: number): number {
    return this.memberOf(column).dataStart + this.start;
  }

  /** True where a column cannot be read although its member is in sync: some of the rows may be readable. */
  get hasGaps(): boolean {
    for (let column = 0; column < this.columns.count; column++)
      if (this.readable[column] === 0 && this.memberOf(column).isInSync) return true;
    return false;
  }

  /** True for a column that a read has failed to get. */
  hasFailed(column: number): boolean {
    return this.#failed[column] === 1;
  }

  /** Plans and reads, over a request that is under way or whose chain runs. The owner hears of the outcome. */
  read(io: Io): void {
    this.#io = io;
    this.#attempt();
  }

  /** @internal Plans, gets memory (waits where there is none), and reads. */
  onRoom(): void {
    this.#attempt();
  }

  /** @internal The columns have been read, or not. */
  merge(compound: CompoundIo): void {
    let hasFailed = false;
    for (let index = 0; index < compound.subCount; index++) {
      const sub = compound.subs[index]!;
      const { error } = sub.io;
      if (error === null) continue;
      const failure = readFailureOf(error);
      if (failure === "request") return this.#owner.onFailed(error);
      if (failure === "lost") this.engine.array.failMember(this.memberOf(sub.tag), error);
      this.#failed[sub.tag] = 1;
      this.#cause = error;
      hasFailed = true;
    }
    // Planned anew, with what can be read now.
    if (hasFailed) this.#attempt();
    else this.#owner.onRead();
  }

  #attempt(): void {
    const { buffers } = this.engine;
    const io = this.#io!;
    this.release();
    this.#lookAtMembers();
    if (io.isCancelRequested) {
      // The room, if that is what came, is for the next.
      buffers.passRoomOn();
      return this.#owner.onFailed(cancelled(io, this.engine.name));
    }
    this.copies.fill(0);
    if (!this.#owner.plan()) {
      buffers.passRoomOn();
      return this.#owner.onLost(this.#cause);
    }
    const length = this.#takePlaces();
    if (length > buffers.bytesMax) return this.#owner.onFailed(noMemory(io, this.engine.name, length));
    if (length === 0) {
      buffers.passRoomOn();
      return this.#owner.onRead();
    }
    this.buffer = buffers.tryAcquire(length);
    if (this.buffer === null) {
      holdChain(io);
      buffers.waitForRoom(roomCame, this);
    } else this.#submit(io, this.buffer);
  }

  #lookAtMembers(): void {
    const { start, end } = this;
    for (let column = 0; column < this.columns.count; column++) {
      const member = this.memberOf(column);
      this.readable[column] = this.#failed[column] === 0 && member.canRead(start, end) ? 1 : 0;
      this.writable[column] = member.takesWrites ? 1 : 0;
    }
  }

  /** Bytes of memory for all that is used. */
  #takePlaces(): number {
    const { columns, uses, copies, length } = this;
    let at = 0;
    for (let column = 0; column < columns.count; column++) {
      if (uses[column] !== Use.none) {
        this.places[column] = at;
        at += length;
      }
      if (copies[column] === 1) {
        this.copyPlaces[column] = at;
        at += length;
      }
    }
    return at;
  }

  #submit(io: Io, { bytes }: PoolBuffer): void {
    const { uses, places, length } = this;
    if (!uses.includes(Use.read)) return this.#owner.onRead();
    restartIo(io);
    const compound = this.engine.compounds.over(io, READ_COLUMNS, this);
    for (let column = 0; column < this.columns.count; column++) {
      if (uses[column] !== Use.read) continue;
      const { target } = this.memberOf(column);
      compound.add(target, Op.read, this.offsetOf(column), length, bytes, places[column]).tag = column;
    }
    compound.submit();
  }
}

const READ_COLUMNS: Collation = {
  name: "read columns",
  ended: null,
  merge(compound) {
    (compound.context as StripeSlice).merge(compound);
  },
};

function roomCame(_pool: unknown, slice: StripeSlice): void {
  slice.onRoom();
}
