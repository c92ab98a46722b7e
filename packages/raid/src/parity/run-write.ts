import { IoFlag, Op } from "@cev/core";
import type { CevError, Io, PoolBuffer } from "@cev/core";
import { cancelled, degradedError, noMemory } from "../array/failure.ts";
import { endIo, holdChain } from "./end-io.ts";
import { MemberWrites } from "./member-writes.ts";
import type { FullMember, MemberWritesOwner } from "./member-writes.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { sumColumns } from "./slice-parity.ts";
import { StripeColumns } from "./stripe-columns.ts";
import { StripeRun } from "./stripe-run.ts";
import { restoreParity } from "./sync-slice.ts";

/**
 * Full stripes in a row whose chunks are small: copied into memory of the pool, member by member, where the parity is
 * computed between them, so that each member gets one write. Used for one run after the other.
 */
export class RunWrite implements MemberWritesOwner {
  /** The array's, for those who watch. */
  readonly name: string;
  readonly #engine: ParityEngine;
  readonly #owner: { ended(write: RunWrite): void };
  readonly #run: StripeRun;
  readonly #writes: MemberWrites;
  readonly #columns: StripeColumns;
  readonly #contents: { readonly data: Uint8Array[]; readonly offsets: number[] };
  #io: Io | null = null;
  /** Some members may hold what is written, and others not. */
  #isTorn = false;
  #buffer: PoolBuffer | null = null;

  constructor(engine: ParityEngine, owner: { ended(write: RunWrite): void }) {
    this.name = engine.name;
    this.#engine = engine;
    this.#owner = owner;
    this.#run = new StripeRun(engine, this);
    this.#writes = new MemberWrites(engine, this);
    this.#columns = new StripeColumns(engine.map);
    const { dataCount } = engine.map;
    this.#contents = { data: [], offsets: new Array<number>(dataCount).fill(0) };
  }

  /** A write of whole stripes; what it takes of each member at most `runLengthMax`. */
  start(io: Io): void {
    const { map } = this.#engine;
    this.#io = io;
    this.#isTorn = false;
    this.#run.begin(map.stripeOf(io.offset), io.length / map.stripeSize);
  }

  /** @internal The stripes are locked, and the metadata says that they are about to change. */
  onRun(error: CevError | null): void {
    if (error !== null) return this.#leave(error);
    this.onRoom();
  }

  /** @internal Tries to get memory; waits for it where there is none. */
  onRoom(): void {
    const { buffers, array } = this.#engine;
    const io = this.#io!;
    if (io.isCancelRequested || array.isBroken) {
      // The room, if that is what came, is for the next.
      buffers.passRoomOn();
      return this.#leave(io.isCancelRequested ? cancelled(io, this.name) : this.#degraded());
    }
    const length = this.#columns.count * (this.#run.end - this.#run.start);
    if (length > buffers.bytesMax) return this.#leave(noMemory(io, this.name, length));
    this.#buffer = buffers.tryAcquire(length);
    if (this.#buffer === null) {
      buffers.waitForRoom(roomCame, this);
      return;
    }
    this.#fill(io, this.#buffer);
    this.#write(io, this.#buffer);
  }

  onWritten(): void {
    const { array } = this.#engine;
    if (array.isBroken) return this.#leave(this.#degraded());
    this.#isTorn = false;
    array.syncedByWrite(this.#run.start, this.#run.end);
    const keeper = this.#engine.array.keeper!;
    if (!keeper.isUpdating) return this.#leave(null);
    // Success is not told before the superblocks name the members that missed it.
    holdChain(this.#io!);
    keeper.whenSettled(settled, this);
  }

  onFull(full: readonly FullMember[]): void {
    holdChain(this.#io!);
    this.#release();
    restoreParity(this.#engine, this.#run.start, this.#run.end).then(
      () => {
        this.#isTorn = false;
        this.#leave(full[0]!.error);
      },
      () => {
        // The parity may fit what it held before by now: the write has failed too.
        for (const { member, error } of full) this.#writes.fail(member, error);
        this.#leave(full[0]!.error);
      },
    );
  }

  onRefused(error: CevError): void {
    this.#isTorn = false;
    this.#leave(error);
  }

  /** @internal */
  onSettled(error: CevError | null): void {
    // Broken meanwhile: no superblock tells which members missed it.
    this.#leave(error === null && this.#engine.array.isBroken ? this.#degraded() : error);
  }

  /** Stripe by stripe: the data to the members' places, and the parity of it while it is in the cache. */
  #fill(io: Io, { bytes, slab, address }: PoolBuffer): void {
    const { map } = this.#engine;
    const { chunkSize } = map;
    const { first, count } = this.#run;
    const columns = this.#columns;
    const { data, offsets } = this.#contents;
    const length = count * chunkSize;
    data.fill(bytes);
    while (data.length < columns.dataCount) data.push(bytes);
    let from = io.dataOffset;
    for (let index = 0; index < count; index++) {
      columns.locate(first + index);
      for (let column = 0; column < columns.dataCount; column++) {
        const at = columns.members[column]! * length + index * chunkSize;
        bytes.set(io.data.subarray(from, from + chunkSize), at);
        offsets[column] = at;
        from += chunkSize;
      }
      const p = address + columns.members[columns.dataCount]! * length + index * chunkSize;
      const q =
        map.parityCount === 2
          ? address + columns.members[columns.dataCount + 1]! * length + index * chunkSize
          : -1;
      sumColumns(slab, columns, this.#contents, p, q, chunkSize);
    }
  }

  #write(io: Io, { bytes }: PoolBuffer): void {
    const { start, end } = this.#run;
    this.#writes.begin(io, start, end);
    for (const member of this.#engine.members) {
      if (!member.takesWrites) continue;
      const length = end - start;
      const at = member.index * length;
      const flags = io.flags & IoFlag.fua;
      this.#writes.add(member, Op.write, member.dataStart + start, length, bytes, at, flags);
    }
    this.#isTorn = true;
    this.#writes.submit();
  }

  #leave(error: CevError | null): void {
    const io = this.#io!;
    this.#io = null;
    this.#release();
    this.#run.leave(error === null || !this.#isTorn);
    this.#owner.ended(this);
    endIo(io, error);
  }

  #release(): void {
    if (this.#buffer !== null) this.#engine.buffers.release(this.#buffer);
    this.#buffer = null;
  }

  #degraded(): CevError {
    const message = "the stripes cannot be written: more members are gone than the parity makes up for";
    return degradedError(this.#io!, this.name, message);
  }
}

function roomCame(_pool: unknown, write: RunWrite): void {
  write.onRoom();
}

function settled(error: CevError | null, write: RunWrite): void {
  write.onSettled(error);
}
