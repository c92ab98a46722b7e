import { EventState, Io, Op, ioError } from "@cev/core";
import type { CevError, Environment, PoolBuffer, SubmitTarget } from "@cev/core";
import type { Snapshot } from "./snapshot.ts";

/** Who waits for chunks to be in the store: told once, also when it failed. */
export interface ChunkWaiter {
  runEnded(run: PendingRun): void;
}

/** Why chunks come into the store. */
export const RunKind = {
  /** The origin is about to be written: what it held is kept. */
  preserve: 0,
  /** Part of a chunk is written in the snapshot: the rest comes from the origin. */
  modify: 1,
  /** Whole chunks are written in the snapshot: nothing is copied. */
  replace: 2,
} as const;
export type RunKind = (typeof RunKind)[keyof typeof RunKind];

/** What a run needs from those around it. */
export interface RunHost {
  readonly environment: Environment;
  /** Reads of any length. */
  readonly origin: SubmitTarget;
  readonly originSize: number;
  /** A run has ended; it may be used again from now on. */
  recycle(run: PendingRun): void;
}

/**
 * Chunks on their way into a store: neighbours in the origin that become neighbours in the store. Their exceptions are recorded
 * once all data is there; until then nobody reads them from the store. Used again and again.
 */
export class PendingRun {
  readonly #host: RunHost;
  readonly #io: Io;
  #snapshot: Snapshot | null = null;
  kind: RunKind = RunKind.preserve;
  /** Of the origin. */
  firstOld = 0;
  count = 0;
  /** Of the store. */
  firstNew = 0;
  /** All data is in the store. */
  isWritten = false;
  /** Its copy waits for memory, which may be that of writes that come after it. */
  isWithoutMemory = false;
  /** How many of its chunks have a place in the area of exceptions; and how many of those are recorded. */
  placedCount = 0;
  recordedCount = 0;
  error: CevError | null = null;
  /** The error is the origin's: it could not be read. */
  isOriginError = false;
  /** The request it serves; null: it serves those that wait. */
  upper: Io | null = null;
  #buffer: PoolBuffer | null = null;
  #copyLength = 0;
  readonly #waiters: ChunkWaiter[] = [];

  constructor(host: RunHost) {
    this.#host = host;
    this.#io = new Io(host.environment.runQueue);
  }

  get snapshot(): Snapshot {
    return this.#snapshot!;
  }

  /** @internal Of `Snapshot.begin`. */
  prepare(snapshot: Snapshot, kind: RunKind, firstOld: number, count: number, firstNew: number): void {
    this.#snapshot = snapshot;
    this.kind = kind;
    this.firstOld = firstOld;
    this.count = count;
    this.firstNew = firstNew;
    this.isWritten = false;
    this.isWithoutMemory = false;
    this.placedCount = 0;
    this.recordedCount = 0;
    this.error = null;
    this.isOriginError = false;
    this.upper = null;
  }

  overlaps(first: number, count: number): boolean {
    return this.firstOld < first + count && first < this.firstOld + this.count;
  }

  addWaiter(waiter: ChunkWaiter): void {
    this.#waiters.push(waiter);
  }

  /** Copies the chunks from the origin; a write of part of one (`upper`) is put in on the way. */
  copy(): void {
    const { environment } = this.#host;
    const length = this.count * this.snapshot.layout.chunkSize;
    const buffer = environment.buffers.tryAcquire(length);
    this.isWithoutMemory = buffer === null;
    if (buffer === null) {
      environment.buffers.waitForRoom(copyAgain, this);
      return;
    }
    this.#buffer = buffer;
    const offset = this.firstOld * this.snapshot.layout.chunkSize;
    this.#copyLength = Math.min(length, this.#host.originSize - offset);
    // The origin's last chunk may end early: what the store has of it beyond that is zero.
    buffer.bytes.fill(0, this.#copyLength, length);
    this.#io.prepare(Op.read, offset, this.#copyLength, buffer.bytes);
    this.#io.setOwner(copyRead, this);
    this.#host.origin.submit(this.#io);
  }

  /** All data is in the store: the exceptions can be recorded, in their turn. */
  written(): void {
    this.snapshot.record(this);
  }

  /** @internal Those of its exceptions that have a place are on the disk. */
  recorded(): void {
    this.snapshot.recorded(this);
    if (this.recordedCount === this.count) this.end(null);
  }

  /** @internal */
  readEnded(io: Io): void {
    if (io.error !== null) {
      this.isOriginError = true;
      return this.end(io.error);
    }
    const { snapshot } = this;
    const { upper } = this;
    const bytes = this.#buffer!.bytes;
    if (upper !== null) {
      const at = upper.offset - this.firstOld * snapshot.layout.chunkSize;
      if (upper.op === Op.writeZeroes) bytes.fill(0, at, at + upper.length);
      else bytes.set(upper.data.subarray(upper.dataOffset, upper.dataOffset + upper.length), at);
    }
    const blockSize = snapshot.store.limits.logicalBlockSize;
    const length = Math.ceil(this.#copyLength / blockSize) * blockSize;
    io.prepare(Op.write, this.firstNew * snapshot.layout.chunkSize, length, bytes);
    io.setOwner(copyWritten, this);
    snapshot.store.submit(io);
  }

  /** @internal */
  writeEnded(io: Io): void {
    const buffer = this.#buffer!;
    this.#buffer = null;
    if (io.error === null) this.written();
    else this.end(io.error);
    this.#host.environment.buffers.release(buffer);
  }

  /** It is over: all are told, and the run is given back. */
  end(error: CevError | null): void {
    const { upper } = this;
    this.error = error;
    this.snapshot.forget(this);
    if (this.#buffer !== null) {
      this.#host.environment.buffers.release(this.#buffer);
      this.#buffer = null;
    }
    for (const waiter of this.#waiters) waiter.runEnded(this);
    this.#waiters.length = 0;
    this.upper = null;
    this.#host.recycle(this);
    if (upper !== null) answer(upper, error);
  }
}

/** A request that wrote whole chunks itself is held; another one is still under way. */
function answer(upper: Io, cause: CevError | null): void {
  const error = cause === null ? null : ioError(upper, cause.code, cause.message, "snapshot", cause);
  if (upper.state !== EventState.held) {
    upper.complete(error);
    return;
  }
  if (error !== null) {
    upper.error = error;
    upper.transferred = 0;
  }
  upper.resume();
}

function copyAgain(_pool: unknown, run: PendingRun): void {
  run.copy();
}

function copyRead(io: Io, run: PendingRun): void {
  run.readEnded(io);
}

function copyWritten(io: Io, run: PendingRun): void {
  run.writeEnded(io);
}
