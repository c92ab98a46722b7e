import type { PoolBuffer } from "../buffer-pool.ts";
import { CompoundIoPool } from "../compound-io.ts";
import type { Collation, CompoundIo } from "../compound-io.ts";
import type { Environment } from "../environment.ts";
import { CevError } from "../errors.ts";
import { runAsBelow } from "../extents/run.ts";
import type { Run } from "../extents/run.ts";
import { IoFlag, Op, refuse, submitTo } from "../io.ts";
import type { Io } from "../io.ts";
import { LayerBase } from "../layer.ts";
import type { Layer, LayerDescription } from "../layer.ts";
import type { Limits } from "../limits.ts";
import { RangeLock } from "../range-lock.ts";
import type { RangeLockEntry } from "../range-lock.ts";
import type { Support } from "../support.ts";

/**
 * Takes requests of any alignment (or of a smaller block) over a layer of larger blocks: partial blocks at the edges are
 * read, modified and written; whole blocks in between go down as they are, without a copy.
 */
export class BlockLayer extends LayerBase {
  readonly name = "block";
  readonly limits: Limits;
  readonly support: Support;
  readonly lower: Layer;
  readonly lowerBlockSize: number;
  readonly #environment: Environment;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);
  // Writes of whole blocks share; a write of part of a block excludes every other write to that block.
  readonly #locks = new RangeLock();

  /** `logicalBlockSize`: the block size above; a power of two, smaller than the lower's. */
  constructor(
    lower: Layer,
    options: { readonly logicalBlockSize: number; readonly environment: Environment },
  ) {
    super([lower]);
    this.lower = lower;
    this.lowerBlockSize = lower.limits.logicalBlockSize;
    this.limits = { ...lower.limits, logicalBlockSize: options.logicalBlockSize };
    this.support = lower.support;
    this.#environment = options.environment;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.flush:
        this.lower.submit(io);
        return;
      case Op.read:
        if (this.#isAligned(io)) this.lower.submit(io);
        else new EdgeRequest(this, io, null).read();
        return;
      case Op.discard:
        // Also one that would shrink to nothing here: what the lower does not offer is not done.
        if (this.support.discard === "none") return refuse(io, this);
        return this.#discard(io);
      case Op.writeZeroes:
        // Also one within a block, which would be written and not zeroed: the edges would be done, and the middle refused.
        if (this.support.writeZeroes === "none") return refuse(io, this);
        return this.#write(io);
      case Op.write:
        return this.#write(io);
      default:
        return refuse(io, this);
    }
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.lower, offset, length);
  }

  describe(): LayerDescription {
    return {
      driver: this.name,
      options: { logicalBlockSize: this.limits.logicalBlockSize },
      lowers: [this.lower.describe()],
    };
  }

  /** @internal */
  begin(io: Io, collation: Collation, context: unknown): CompoundIo {
    return this.#compounds.over(io, collation, context);
  }

  /** @internal */
  acquireBuffer(): PoolBuffer {
    return this.#environment.buffers.acquire(2 * this.lowerBlockSize);
  }

  /** @internal */
  releaseBuffer(buffer: PoolBuffer): void {
    this.#environment.buffers.release(buffer);
  }

  /** @internal */
  unlock(lock: RangeLockEntry): void {
    this.#locks.release(lock);
  }

  #isAligned(io: Io): boolean {
    return io.offset % this.lowerBlockSize === 0 && io.length % this.lowerBlockSize === 0;
  }

  /** Discards the whole blocks inside; the edges stay as they are, which a discard allows. */
  #discard(io: Io): void {
    if (this.#isAligned(io)) {
      this.lower.submit(io);
      return;
    }
    const { offset, length } = io;
    const start = Math.ceil(offset / this.lowerBlockSize) * this.lowerBlockSize;
    const end = Math.floor((offset + length) / this.lowerBlockSize) * this.lowerBlockSize;
    if (end <= start) {
      io.complete();
      return;
    }
    io.pushAction(restoreRange, { offset, length });
    io.offset = start;
    io.length = end - start;
    this.lower.submit(io);
  }

  #write(io: Io): void {
    const start = Math.floor(io.offset / this.lowerBlockSize) * this.lowerBlockSize;
    const end = Math.ceil((io.offset + io.length) / this.lowerBlockSize) * this.lowerBlockSize;
    const isAligned = this.#isAligned(io);
    if (!isAligned && io.op === Op.writeZeroes && (io.flags & IoFlag.fastZero) !== 0) {
      // Before anything is written: the edges would be done, and the middle perhaps refused.
      io.fail("CEV_NOT_SUPPORTED", "zeroing part of a block is slower than a write", this.name);
      return;
    }
    this.#locks.acquire(start, end - start, !isAligned, isAligned ? submitLocked : modifyLocked, {
      layer: this,
      io,
    });
  }
}

function submitLocked(lock: RangeLockEntry, { layer, io }: { layer: BlockLayer; io: Io }): void {
  io.pushAction(unlockRange, { owner: layer, lock });
  // Where it had to wait for its lock, this is the completion of another request.
  submitTo(layer.lower, io);
}

function unlockRange(_io: Io, held: { readonly owner: BlockLayer; readonly lock: RangeLockEntry }): void {
  held.owner.unlock(held.lock);
}

function modifyLocked(lock: RangeLockEntry, { layer, io }: { layer: BlockLayer; io: Io }): void {
  new EdgeRequest(layer, io, lock).modify();
}

function restoreRange(io: Io, range: { offset: number; length: number }): void {
  io.offset = range.offset;
  io.length = range.length;
  if (io.error === null) io.transferred = range.length;
}

/** One request with partial blocks at its edges: the two edge blocks lie in a buffer of their own. */
class EdgeRequest {
  readonly #layer: BlockLayer;
  readonly #io: Io;
  readonly #lock: RangeLockEntry | null;
  readonly #edges: PoolBuffer | null;
  readonly #headOffset: number;
  readonly #tailOffset: number;
  readonly #middleStart: number;
  readonly #middleEnd: number;

  constructor(layer: BlockLayer, io: Io, lock: RangeLockEntry | null) {
    const size = layer.lowerBlockSize;
    const end = io.offset + io.length;
    this.#layer = layer;
    this.#io = io;
    this.#lock = lock;
    // -1: that edge falls on a block's boundary.
    this.#headOffset = io.offset % size === 0 ? -1 : io.offset - (io.offset % size);
    this.#tailOffset = end % size === 0 || end - (end % size) === this.#headOffset ? -1 : end - (end % size);
    this.#middleStart = this.#headOffset < 0 ? io.offset : this.#headOffset + size;
    this.#middleEnd =
      this.#tailOffset < 0 ? Math.max(this.#middleStart, end - (end % size)) : this.#tailOffset;
    let edges: PoolBuffer | null = null;
    try {
      edges = layer.acquireBuffer();
    } catch (error) {
      if (!(error instanceof CevError)) throw error;
    }
    this.#edges = edges;
  }

  read(): void {
    if (!this.#hasBuffer()) return;
    const compound = this.#layer.begin(this.#io, READ_EDGES, this);
    this.#addEdges(compound, Op.read);
    this.#addMiddle(compound);
    compound.submit();
  }

  modify(): void {
    if (!this.#hasBuffer()) return;
    const compound = this.#layer.begin(this.#io, READ_BEFORE_WRITE, this);
    this.#addEdges(compound, Op.read);
    compound.submit();
  }

  /** The edges have been read: the new data goes into them, and all is written. */
  write(): void {
    const io = this.#io;
    io.restart();
    this.#eachEdge((edge, dataOffset, length) => {
      if (io.op === Op.write) edge.set(io.data.subarray(dataOffset, dataOffset + length));
      else edge.fill(0, 0, length);
    });
    const compound = this.#layer.begin(io, WRITE_EDGES, this);
    this.#addEdges(compound, Op.write);
    this.#addMiddle(compound);
    compound.submit();
  }

  /** The edges have been read for a read: what was asked for goes to the caller. */
  takeEdges(): void {
    this.#eachEdge((edge, dataOffset, length) => this.#io.data.set(edge.subarray(0, length), dataOffset));
  }

  end(): void {
    if (this.#edges !== null) this.#layer.releaseBuffer(this.#edges);
    if (this.#lock !== null) this.#layer.unlock(this.#lock);
  }

  #hasBuffer(): boolean {
    if (this.#edges !== null) return true;
    this.end();
    this.#io.fail("CEV_NO_MEMORY", "no buffer is left for the partial blocks of a request", this.#layer.name);
    return false;
  }

  #addEdges(compound: CompoundIo, op: typeof Op.read | typeof Op.write): void {
    const size = this.#layer.lowerBlockSize;
    const { bytes } = this.#edges!;
    const flags = op === Op.write ? this.#io.flags & 1 : 0;
    if (this.#headOffset >= 0) compound.add(this.#layer.lower, op, this.#headOffset, size, bytes, 0, flags);
    if (this.#tailOffset >= 0)
      compound.add(this.#layer.lower, op, this.#tailOffset, size, bytes, size, flags);
  }

  #addMiddle(compound: CompoundIo): void {
    const io = this.#io;
    const length = this.#middleEnd - this.#middleStart;
    if (length <= 0) return;
    const dataOffset = io.op === Op.writeZeroes ? 0 : io.dataOffset + this.#middleStart - io.offset;
    compound.add(this.#layer.lower, io.op, this.#middleStart, length, io.data, dataOffset, io.flags);
  }

  /** Per edge: its memory from the first byte that belongs to the request, where that byte lies in the caller's data, and how many. */
  #eachEdge(visit: (edge: Uint8Array, dataOffset: number, length: number) => void): void {
    const io = this.#io;
    const size = this.#layer.lowerBlockSize;
    const { bytes } = this.#edges!;
    if (this.#headOffset >= 0) {
      const skip = io.offset - this.#headOffset;
      visit(bytes.subarray(skip, size), io.dataOffset, Math.min(size - skip, io.length));
    }
    if (this.#tailOffset >= 0) {
      visit(
        bytes.subarray(size, 2 * size),
        io.dataOffset + this.#tailOffset - io.offset,
        io.offset + io.length - this.#tailOffset,
      );
    }
  }
}

function failWith(compound: CompoundIo): boolean {
  const error = compound.firstError();
  if (error === null) return false;
  compound.io.error = error;
  compound.io.transferred = 0;
  (compound.context as EdgeRequest).end();
  return true;
}

const READ_EDGES: Collation = {
  name: "read edges",
  ended: null,
  merge(compound) {
    if (failWith(compound)) return;
    const edges = compound.context as EdgeRequest;
    edges.takeEdges();
    edges.end();
  },
};

const READ_BEFORE_WRITE: Collation = {
  name: "read before write",
  ended: null,
  merge(compound) {
    if (!failWith(compound)) (compound.context as EdgeRequest).write();
  },
};

const WRITE_EDGES: Collation = {
  name: "write edges",
  ended: null,
  merge(compound) {
    if (!failWith(compound)) (compound.context as EdgeRequest).end();
  },
};
