import { CevError, Op, refuse } from "@cev/core";
import type { BufferPool, Environment, Io, CompoundIoPool } from "@cev/core";
import type { Member } from "../array/member.ts";
import type { MetadataKeeper } from "../array/metadata-keeper.ts";
import type { Personality, SyncWay } from "../array/personality.ts";
import type { RunningArray } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { StripeMap } from "../levels/stripe.ts";
import type { StripeLayout } from "../levels/stripe.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { syncStripeSlice } from "./resync.ts";
import { StripeLocks } from "./stripe-locks.ts";
import { StripeWriter } from "./stripe-writer.ts";

// Stripes are worked on in slices: long enough for large requests to the members, short enough that few
// buffers are lent at any time.
const SLICE_LENGTH_MAX = 262_144;
const SLICE_LENGTH_MIN = 4096;

/** RAID4, 5 and 6: stripes of one chunk from each member, one or two of them parity. */
export class ParityEngine implements Personality {
  readonly name: string;
  readonly array: RunningArray;
  readonly environment: Environment;
  readonly buffers: BufferPool;
  readonly map: StripeMap;
  readonly members: readonly Member[];
  readonly locks: StripeLocks = new StripeLocks();
  readonly compounds: CompoundIoPool;
  /** Bytes of one member that are worked on at once. */
  readonly sliceLengthMax: number;
  readonly size: number;
  readonly ioLengthPreferred: number;
  readonly syncSize: number;
  readonly syncStep: number;
  readonly hasDiscard = false;
  readonly hasWriteZeroes = false;
  readonly #reader: ChunkReader;
  readonly #writer: StripeWriter;

  constructor(array: RunningArray, layout: StripeLayout) {
    const { chunkSize, memberCount } = array.geometry;
    this.array = array;
    this.name = array.name;
    this.environment = array.environment;
    this.buffers = array.buffers;
    this.members = array.members;
    this.compounds = array.compounds;
    this.map = new StripeMap({ layout, chunkSize, memberCount });
    const share = 2 ** Math.floor(Math.log2(this.buffers.bufferLengthMax / memberCount));
    if (share < SLICE_LENGTH_MIN) {
      const message = `the buffer pool's slabs are too small for stripes of ${memberCount} members`;
      throw new CevError("CEV_NO_MEMORY", message, { layer: this.name });
    }
    this.sliceLengthMax = Math.min(SLICE_LENGTH_MAX, chunkSize, share);
    this.size = array.level.sizeOf(array.geometry);
    this.ioLengthPreferred = this.map.stripeSize;
    this.syncSize = array.level.syncSizeOf(array.geometry);
    this.syncStep = this.sliceLengthMax;
    this.#reader = new ChunkReader(this);
    this.#writer = new StripeWriter(this);
  }

  get keeper(): MetadataKeeper | null {
    return this.array.keeper;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#reader.read(io);
      case Op.write:
        return this.#writer.write(io);
      default:
        return refuse(io, this);
    }
  }

  /** True where the range at `offset` of the array, on this member, follows from the other members. */
  canReconstruct(offset: number, memberIndex: number): boolean {
    for (const member of this.members) if (!member.isInSync && member.index !== memberIndex) return false;
    const start = this.map.memberOffsetOf(offset);
    return !this.array.isUnsynced(start, start + 1);
  }

  async syncSlice(start: number, end: number, way: SyncWay): Promise<number> {
    return syncStripeSlice(this, { start, end }, way);
  }

  recoverSlice(start: number, end: number): Promise<void> {
    const place = `bytes ${start} to ${end} of the members' data`;
    return Promise.reject(
      new CevError("CEV_NOT_SUPPORTED", `${place} cannot be rebuilt`, { layer: this.name }),
    );
  }

  syncRangesOf(_member: Member, start: number, end: number): readonly ByteRange[] {
    return [{ start, end }];
  }
}
