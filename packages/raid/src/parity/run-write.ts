import { IoFlag, Op } from "@cev/core";
import type { Io, PoolBuffer } from "@cev/core";
import { cancelled, noMemory } from "../array/failure.ts";
import { FullStripes } from "./full-stripes.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { sumColumns } from "./slice-parity.ts";
import { StripeColumns } from "./stripe-columns.ts";

/**
 * Full stripes in a row whose chunks are small: copied into memory of the pool, member by member, where the parity is
 * computed between them, so that each member gets one write. Used for one run after the other.
 */
export class RunWrite extends FullStripes {
  readonly #owner: { ended(write: RunWrite): void };
  readonly #columns: StripeColumns;
  readonly #contents: { readonly data: Uint8Array[]; readonly offsets: number[] };

  constructor(engine: ParityEngine, owner: { ended(write: RunWrite): void }) {
    super(engine);
    this.#owner = owner;
    this.#columns = new StripeColumns(engine.map);
    const { dataCount } = engine.map;
    this.#contents = { data: [], offsets: new Array<number>(dataCount).fill(0) };
  }

  /** A write of whole stripes; what it takes of each member at most `runLengthMax`. */
  start(io: Io): void {
    const { map } = this.engine;
    this.io = io;
    this.run.begin(map.stripeOf(io.offset), io.length / map.stripeSize);
  }

  /** @internal Tries to get memory; waits for it where there is none. */
  onRoom(): void {
    const { buffers, array } = this.engine;
    const io = this.io!;
    if (io.isCancelRequested || array.isBroken) {
      // The room, if that is what came, is for the next.
      buffers.passRoomOn();
      return this.leave(io.isCancelRequested ? cancelled(io, this.name) : this.degraded());
    }
    const length = this.#columns.count * (this.run.end - this.run.start);
    if (length > buffers.bytesMax) return this.leave(noMemory(io, this.name, length));
    this.buffer = buffers.tryAcquire(length);
    if (this.buffer === null) {
      buffers.waitForRoom(roomCame, this);
      return;
    }
    this.#fill(io, this.buffer);
    this.#write(io, this.buffer);
  }

  protected onReady(): void {
    this.onRoom();
  }

  protected onRunWritten(): void {
    this.settle();
  }

  protected onLeft(): void {
    this.#owner.ended(this);
  }

  /** Stripe by stripe: the data to the members' places, and the parity of it while it is in the cache. */
  #fill(io: Io, { bytes, slab, address }: PoolBuffer): void {
    const { map } = this.engine;
    const { chunkSize } = map;
    const { first, count } = this.run;
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
    const { start, end } = this.run;
    this.writes.begin(io, start, end);
    for (const member of this.engine.members) {
      if (!member.takesWrites) continue;
      const length = end - start;
      const at = member.index * length;
      const flags = io.flags & IoFlag.fua;
      this.writes.add(member, Op.write, member.dataStart + start, length, bytes, at, flags);
    }
    this.submit();
  }
}

function roomCame(_pool: unknown, write: RunWrite): void {
  write.onRoom();
}
