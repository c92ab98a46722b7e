import { CevError, Op, refuse } from "@cev/core";
import type { BufferPool, CompoundIoPool, Environment, Io, Run } from "@cev/core";
import type { Member } from "../array/member.ts";
import type { Personality, SyncWay } from "../array/personality.ts";
import type { RunningArray } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { stripeLayout } from "../levels/levels.ts";
import { StripeMap } from "../levels/stripe.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { parityExtents } from "./parity-extents.ts";
import { recoverStripeSlice } from "./recover-slice.ts";
import { SlicePass } from "./slice-pass.ts";
import { memberShare } from "./slice-memory.ts";
import { StripeLocks } from "./stripe-locks.ts";
import { StripeWriter } from "./stripe-writer.ts";
import { syncStripeSlice } from "./sync-slice.ts";
import { ZeroWriter } from "./zero-writer.ts";

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
  readonly hasDiscard: boolean;
  readonly hasWriteZeroes: boolean;
  readonly #reader: ChunkReader;
  readonly #writer: StripeWriter;
  readonly #zeroWriter: ZeroWriter;
  readonly #freePasses: SlicePass[] = [];

  /** Throws `CEV_NO_MEMORY` where the pool lends too little for a stripe, `CEV_INVALID` for a layout there is not. */
  constructor(array: RunningArray) {
    const { level, layout: number, chunkSize, memberCount } = array.geometry;
    const layout = stripeLayout(level, number);
    if (layout === null)
      throw new CevError("CEV_INVALID", `${array.name} has no layout ${number}`, { layer: array.name });
    this.array = array;
    this.name = array.name;
    this.environment = array.environment;
    this.buffers = array.buffers;
    this.members = array.members;
    this.compounds = array.compounds;
    this.map = new StripeMap({ layout, chunkSize, memberCount });
    const share = memberShare(this.buffers, memberCount);
    if (share < SLICE_LENGTH_MIN) {
      const message = `the buffer pool lends too little at once for stripes of ${memberCount} members`;
      throw new CevError("CEV_NO_MEMORY", message, { layer: this.name });
    }
    this.sliceLengthMax = Math.min(SLICE_LENGTH_MAX, chunkSize, share);
    this.size = array.level.sizeOf(array.geometry);
    this.ioLengthPreferred = this.map.stripeSize;
    this.syncSize = array.level.syncSizeOf(array.geometry);
    this.syncStep = this.sliceLengthMax;
    this.#reader = new ChunkReader(this);
    this.#writer = new StripeWriter(this);
    this.#zeroWriter = new ZeroWriter(this, this.#writer);
    this.hasWriteZeroes = array.native.writeZeroes;
    this.hasDiscard = this.hasWriteZeroes;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#reader.read(io);
      case Op.write:
        return this.#writer.write(io);
      case Op.discard:
      case Op.writeZeroes:
        return this.#zeroWriter.write(io);
      default:
        return refuse(io, this);
    }
  }

  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return parityExtents(this.map, this.members, { offset, length, countMax });
  }

  /** True where a range of a member's data follows from the other members, as far as is known. */
  canReconstruct(start: number, end: number, memberIndex: number): boolean {
    let lostCount = 1;
    for (const member of this.members)
      if (member.index !== memberIndex && !member.canRead(start, end)) lostCount++;
    // Parity that is in doubt helps only where there is more of it to compare it with.
    if (this.array.isUnsynced(start, end)) lostCount++;
    return lostCount <= this.map.parityCount;
  }

  syncSlice(start: number, end: number, way: SyncWay): Promise<number> {
    return syncStripeSlice(this, start, end, way);
  }

  recoverSlice(start: number, end: number): Promise<void> {
    return recoverStripeSlice(this, start, end);
  }

  syncRangesOf(_member: Member, start: number, end: number): readonly ByteRange[] {
    return [{ start, end }];
  }

  /** @internal Something to look at slices with; to be given back. */
  takePass(): SlicePass {
    return this.#freePasses.pop() ?? new SlicePass(this);
  }

  /** @internal */
  givePass(pass: SlicePass): void {
    pass.slice.release();
    this.#freePasses.push(pass);
  }
}
