import {
  CompoundIoPool,
  IoFlag,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  combineLimits,
  concatenate,
  ioError,
  refuse,
  runOf,
} from "@cev/core";
import type { Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import { chunkExtents } from "./chunk-extents.ts";
import { Move, runLength } from "./chunk-runs.ts";
import type { OriginLayer, SnapshotPlan } from "./origin-layer.ts";
import type { SlotWaiter } from "./origin.ts";
import { RunKind } from "./pending-run.ts";
import type { ChunkWaiter, PendingRun } from "./pending-run.ts";
import type { Snapshot } from "./snapshot.ts";
import type { StoreTarget } from "./store-target.ts";

/** What a `SnapshotLayer` is made of. */
export interface SnapshotLayerOptions {
  readonly origin: OriginLayer;
  readonly plan: SnapshotPlan;
  readonly size: number;
  readonly description: () => LayerDescription;
}

/**
 * One snapshot: what its origin held when it was made, and whatever has been written to it since. Chunks are read from its store where
 * that has them, else from the origin; a chunk that is written for the first time goes to the store as a whole.
 */
export class SnapshotLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly #options: SnapshotLayerOptions;
  readonly #store: StoreTarget;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);
  readonly #moves: Move[] = [];
  readonly #waits: SnapshotWait[] = [];
  #opened: Snapshot | null = null;
  #hasWritten = false;

  constructor(options: SnapshotLayerOptions) {
    const { origin, plan, size } = options;
    super([origin]);
    this.name = plan.setting.name;
    this.#options = options;
    this.#store = origin.storeOf(plan);
    const limits = combineLimits(size, [origin.limits, this.#store.limits]);
    this.limits = {
      ...limits,
      ioLengthPreferred: Math.max(limits.ioLengthPreferred, plan.chunkSize),
      discardGranularity: Math.max(limits.discardGranularity, plan.chunkSize),
    };
    this.support = origin.isWritable(plan) ? this.#store.support : READ_ONLY_SUPPORT;
  }

  /** The snapshot at work; while it is open. */
  get snapshot(): Snapshot {
    return this.#opened!;
  }

  /** Claims the origin's layer, which has claimed the store. It does not write the origin, whoever else does. */
  override async open(): Promise<void> {
    await Promise.resolve();
    this.claimLowers("read");
    this.#opened = this.#options.origin.snapshotOf(this.#options.plan);
    this.#hasWritten = false;
  }

  submit(io: Io): void {
    if (!this.snapshot.isValid) return this.#refuseInvalid(io);
    switch (io.op) {
      case Op.read:
        return this.#read(io);
      case Op.write:
        if (this.support.write === "none") return refuse(io, this);
        return this.#write(io);
      case Op.writeZeroes:
        if (this.support.writeZeroes === "none") return refuse(io, this);
        if (this.#isSlow(io)) return io.fail("CEV_NOT_SUPPORTED", "zeroes are not fast here", this.name);
        return this.#write(io);
      case Op.discard:
        if (this.support.discard === "none") return refuse(io, this);
        return this.#discard(io);
      case Op.flush:
        if (this.support.flush === "none") return refuse(io, this);
        return this.#store.submit(io);
      default:
        return refuse(io, this);
    }
  }

  /** As it is read: what its store does not have lies in the origin, also while that is being merged into. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    const { origin, plan } = this.#options;
    const snapshot = this.#opened;
    if (snapshot?.isValid !== true) return runOf("data", length);
    const lowers = { origin: origin.originDevice, store: plan.store };
    return chunkExtents(snapshot, lowers, { offset, length, countMax });
  }

  override async close(): Promise<void> {
    this.#opened = null;
    await super.close();
  }

  describe(): LayerDescription {
    return this.#options.description();
  }

  /** @internal The request starts anew: something it waited for has happened. */
  again(wait: SnapshotWait, io: Io): void {
    this.#waits.push(wait);
    if (io.isCancelRequested)
      io.complete(ioError(io, "CEV_CANCELLED", "cancelled while it waited", this.name));
    else this.submit(io);
  }

  /** What was written is lost with the snapshot. Where nothing was, a flush has nothing to do, and closing needs no error. */
  #refuseInvalid(io: Io): void {
    if (io.op === Op.flush && !this.#hasWritten && this.support.flush !== "none") return io.complete();
    const { code, message } = this.snapshot.invalidCause!;
    io.complete(ioError(io, code, message, this.name));
  }

  #read(io: Io): void {
    const { snapshot } = this;
    const chunk = Math.floor(io.offset / snapshot.layout.chunkSize);
    const newChunk = snapshot.table.get(chunk);
    if (runLength(snapshot, io.offset, io.length, newChunk) < io.length) return this.#split(io);
    if (newChunk < 0) this.#options.origin.origin.read(io);
    else this.#toStore(io, newChunk - chunk);
  }

  #write(io: Io): void {
    this.#hasWritten = true;
    const { snapshot } = this;
    const chunk = Math.floor(io.offset / snapshot.layout.chunkSize);
    const newChunk = snapshot.table.get(chunk);
    if (this.#partLength(io.offset, io.length) < io.length) return this.#split(io);
    if (newChunk >= 0) return this.#toStore(io, newChunk - chunk);
    const isWhole = this.#isWhole(io.offset, io.length);
    const count = isWhole ? Math.ceil(io.length / snapshot.layout.chunkSize) : 1;
    const pending = snapshot.findPending(chunk, count);
    if (pending !== null) return pending.addWaiter(this.#wait(io));
    if (snapshot.room(count) < count) {
      const message = `the store of the snapshot ${this.name} is full`;
      return io.complete(ioError(io, "CEV_NO_SPACE", message, this.name));
    }
    if (isWhole) return this.#replace(io, chunk, count);
    this.#modify(io, chunk);
  }

  /** Zeroes are fast where the store has the chunks already. Asking in vain for more must not use it up. */
  #isSlow({ flags, offset, length }: Io): boolean {
    return (flags & IoFlag.fastZero) !== 0 && !this.snapshot.covers(offset, length);
  }

  /** Whole chunks: their data goes straight to the store. */
  #replace(io: Io, chunk: number, count: number): void {
    const run = this.#options.origin.origin.newRun(RunKind.replace);
    this.snapshot.begin(run, RunKind.replace, chunk, count);
    io.pushAction(replaced, run);
    this.#toStore(io, run.firstNew - chunk);
  }

  /** Part of a chunk: the rest comes from the origin. */
  #modify(io: Io, chunk: number): void {
    const { origin } = this.#options.origin;
    if (!origin.hasSlot) return origin.waitForSlot(this.#wait(io));
    const run = origin.newRun(RunKind.modify);
    this.snapshot.begin(run, RunKind.modify, chunk, 1);
    run.upper = io;
    run.copy();
  }

  /** What is in the store need not be kept there; the rest takes no room. */
  #discard(io: Io): void {
    const { snapshot } = this;
    const { chunkSize } = snapshot.layout;
    const chunk = Math.floor(io.offset / chunkSize);
    const newChunk = snapshot.table.get(chunk);
    if (runLength(snapshot, io.offset, io.length, newChunk) < io.length) return this.#split(io);
    if (newChunk < 0) io.complete();
    else this.#toStore(io, newChunk - chunk);
  }

  #toStore(io: Io, chunkDelta: number): void {
    Move.to(this.#moves, io, chunkDelta * this.snapshot.layout.chunkSize);
    this.#store.submit(io);
  }

  /** Into parts that each can be served in one way. They come back here one by one. */
  #split(io: Io): void {
    const { snapshot } = this;
    const isWrite = io.op === Op.write || io.op === Op.writeZeroes;
    const hasData = io.op === Op.read || io.op === Op.write;
    const compound = this.#compounds.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const offset = io.offset + at;
      const length = isWrite
        ? this.#partLength(offset, io.length - at)
        : runLength(
            snapshot,
            offset,
            io.length - at,
            snapshot.table.get(Math.floor(offset / snapshot.layout.chunkSize)),
          );
      compound.add(this, io.op, offset, length, io.data, hasData ? io.dataOffset + at : 0, io.flags);
      at += length;
    }
    compound.submit();
  }

  /** How much of a write, from `offset` on, can be done in one way. */
  #partLength(offset: number, length: number): number {
    const { snapshot } = this;
    const { chunkSize } = snapshot.layout;
    const chunk = Math.floor(offset / chunkSize);
    const newChunk = snapshot.table.get(chunk);
    const alike = runLength(snapshot, offset, length, newChunk);
    if (newChunk >= 0) return alike;
    const toBoundary = (chunk + 1) * chunkSize - offset;
    if (toBoundary < chunkSize || !this.#isWhole(offset, Math.min(alike, chunkSize)))
      return Math.min(alike, toBoundary);
    const wholeLength = this.#isWhole(offset, alike) ? alike : alike - (alike % chunkSize);
    const room = snapshot.room(Math.ceil(wholeLength / chunkSize));
    return room === 0 ? wholeLength : Math.min(wholeLength, room * chunkSize);
  }

  /** True where a range that begins with a chunk also ends with one, or with the origin. */
  #isWhole(offset: number, length: number): boolean {
    const { chunkSize } = this.snapshot.layout;
    if (offset % chunkSize !== 0) return false;
    return (offset + length) % chunkSize === 0 || offset + length === this.#options.origin.origin.originSize;
  }

  #wait(io: Io): SnapshotWait {
    const wait = this.#waits.pop() ?? new SnapshotWait(this);
    wait.io = io;
    return wait;
  }
}

/** A write that waits for a chunk which is on its way already, or for its turn. Used again and again. */
class SnapshotWait implements ChunkWaiter, SlotWaiter {
  readonly #layer: SnapshotLayer;
  io: Io | null = null;

  constructor(layer: SnapshotLayer) {
    this.#layer = layer;
  }

  runEnded(): void {
    this.slotFree();
  }

  slotFree(): void {
    const io = this.io!;
    this.io = null;
    this.#layer.again(this, io);
  }
}

/** The data of whole chunks is in the store: the request waits until their exceptions are, too. */
function replaced(io: Io, run: PendingRun): void {
  if (io.error !== null) {
    // Some of it may be in the store, where no exception leads to it.
    io.transferred = 0;
    return run.end(io.error);
  }
  io.hold();
  run.upper = io;
  run.written();
}
