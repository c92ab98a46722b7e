import { CevError, Op, RangeLock, refuse } from "@cev/core";
import type { BufferPool, CompoundIoPool, Environment, Io, RangeLockEntry, Run } from "@cev/core";
import { preferredOf } from "../array/member-support.ts";
import type { Member } from "../array/member.ts";
import type { Personality, SyncWay } from "../array/personality.ts";
import type { RunningArray } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { MirrorMap } from "../levels/mirror-map.ts";
import { decodeRaid10Layout } from "../levels/raid10-layout.ts";
import { CopyChoice } from "./copy-choice.ts";
import { recoverCopies } from "./copy-recovery.ts";
import { syncCopies } from "./copy-sync.ts";
import { mirrorExtents } from "./mirror-extents.ts";
import { MirrorReader } from "./mirror-reader.ts";
import { MirrorWriter } from "./mirror-writer.ts";

// Sync and rebuild: long enough for large requests to the members, short enough that few buffers are lent.
const SLICE_LENGTH_MAX = 262_144;
const SLICE_LENGTH_MIN = 4096;

/** RAID1 and RAID10: copies of every byte on several members. */
export class MirrorEngine implements Personality {
  readonly name: string;
  readonly array: RunningArray;
  readonly environment: Environment;
  readonly buffers: BufferPool;
  readonly compounds: CompoundIoPool;
  readonly members: readonly Member[];
  readonly map: MirrorMap;
  readonly choice: CopyChoice;
  /** In bytes of the array: writes, repairs, sync and rebuild each hold the range they work on. */
  readonly locks: RangeLock = new RangeLock();
  /** What the members are read and written in, in bytes. */
  readonly blockSize: number;
  readonly size: number;
  readonly ioLengthPreferred: number;
  readonly syncSize: number;
  readonly syncStep: number;
  readonly hasDiscard: boolean;
  readonly hasWriteZeroes: boolean;
  readonly #reader: MirrorReader;
  readonly #writer: MirrorWriter;

  constructor(array: RunningArray) {
    const { geometry, members, buffers } = array;
    this.array = array;
    this.name = array.name;
    this.environment = array.environment;
    this.buffers = buffers;
    this.compounds = array.compounds;
    this.members = members;
    this.map = new MirrorMap(geometry);
    const { chunkSize, copyCount } = this.map;
    const layout = geometry.level === 10 ? decodeRaid10Layout(geometry.layout, geometry.memberCount) : null;
    this.choice = new CopyChoice(array, this.map, layout !== null && layout.farCount > 1);
    this.blockSize = Math.max(
      512,
      ...members.map(({ device }) => device?.layer.limits.logicalBlockSize ?? 0),
    );
    this.size = this.map.size;
    // The longest that all members work on together.
    const stripeCount = Math.max(1, Math.floor(members.length / (layout?.nearCount ?? members.length)));
    this.ioLengthPreferred = chunkSize === 0 ? preferredOf(members) : chunkSize * stripeCount;
    this.syncSize = this.map.size;
    const share = 2 ** Math.floor(Math.log2(Math.min(buffers.bufferLengthMax, buffers.bytesMax) / copyCount));
    if (share < SLICE_LENGTH_MIN) {
      const message = `the buffer pool's slabs are too small for ${copyCount} copies`;
      throw new CevError("CEV_NO_MEMORY", message, { layer: this.name });
    }
    this.syncStep = Math.min(SLICE_LENGTH_MAX, share);
    this.hasWriteZeroes = array.native.writeZeroes;
    // Zeroes keep the copies equal; what a discard leaves is each member's own affair.
    this.hasDiscard = this.hasWriteZeroes || array.native.discard;
    this.#reader = new MirrorReader(this);
    this.#writer = new MirrorWriter(this);
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#reader.read(io);
      case Op.write:
        return this.#writer.write(io);
      case Op.discard:
        if (!this.hasDiscard) return refuse(io, this);
        return this.#writer.write(io);
      case Op.writeZeroes:
        if (!this.hasWriteZeroes) return refuse(io, this);
        return this.#writer.write(io);
      default:
        return refuse(io, this);
    }
  }

  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return mirrorExtents(this.map, this.members, { offset, length, countMax });
  }

  syncSlice(start: number, end: number, way: SyncWay): Promise<number> {
    return this.locked({ start, end }, () => syncCopies(this, { start, end }, way));
  }

  recoverSlice(start: number, end: number): Promise<void> {
    return recoverCopies(this, { start, end });
  }

  syncRangesOf(member: Member, start: number, end: number): readonly ByteRange[] {
    const { map } = this;
    const ranges: { start: number; end: number }[] = [];
    for (let at = start; at < end; at += map.memberRest(at)) {
      const offset = map.arrayOffsetOf(member.index, at);
      if (offset < 0) continue;
      const length = Math.min(end - at, map.memberRest(at));
      const last = ranges.at(-1);
      if (last?.end === offset) last.end += length;
      else ranges.push({ start: offset, end: offset + length });
    }
    return ranges.sort((a, b) => a.start - b.start);
  }

  /** Runs while nobody else writes in this range of the array. */
  async locked<T>(range: ByteRange, run: () => Promise<T>): Promise<T> {
    const lock = await new Promise<RangeLockEntry>((granted) => {
      this.locks.acquire(range.start, range.end - range.start, true, granted, null);
    });
    try {
      return await run();
    } finally {
      this.locks.release(lock);
    }
  }
}
