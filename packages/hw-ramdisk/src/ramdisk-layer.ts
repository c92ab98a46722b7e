import { FULL_SUPPORT, IoFlag, LayerBase, Op, plainLimits, refuse, runOf } from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import { checkRamdiskOptions } from "./options.ts";
import type { RamdiskOptions } from "./options.ts";
import { SparseMemory } from "./sparse-memory.ts";

const PIECE_LENGTH = 65_536;
const SEARCHED_MAX = 2 ** 40;

/**
 * A disk in memory, sparse: it takes memory from the environment's buffer pool in pieces of 64 KiB when they are first
 * written. Every request completes at once. Contents outlive `close` (not the object): `clear` gives the memory back.
 */
export class RamdiskLayer extends LayerBase {
  readonly name = "ramdisk";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly #memory: SparseMemory;
  readonly #options: Required<RamdiskOptions>;

  /** Throws `CEV_INVALID` for options that make no sense. */
  constructor(environment: Environment, options: RamdiskOptions) {
    super();
    this.#options = checkRamdiskOptions(options);
    const { size, blockSize } = this.#options;
    this.limits = plainLimits(size, {
      logicalBlockSize: blockSize,
      ioLengthPreferred: PIECE_LENGTH,
      discardGranularity: PIECE_LENGTH,
    });
    this.#memory = new SparseMemory(environment.buffers, PIECE_LENGTH);
  }

  /** Bytes of memory in use for contents. */
  get bytesAllocated(): number {
    return this.#memory.pieceCount * PIECE_LENGTH;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        this.#memory.read(io.offset, io.length, io.data, io.dataOffset);
        return io.complete();
      case Op.write:
        return this.#end(io, this.#memory.write(io.offset, io.length, io.data, io.dataOffset));
      case Op.flush:
        return io.complete();
      case Op.discard:
        this.#memory.discard(io.offset, io.length);
        return io.complete();
      case Op.writeZeroes:
        return this.#writeZeroes(io);
      default:
        return refuse(io, this);
    }
  }

  /** Whatever was never written, or was erased, is a hole, in pieces of 64 KiB. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    const runs: Run[] = [];
    // One question looks at a part of a very large device: the next goes on from there.
    const end = offset + Math.min(length, SEARCHED_MAX);
    for (let at = offset; at < end && runs.length < countMax;) {
      const border = this.#memory.borderAfter(at, end);
      runs.push(...runOf(this.#memory.hasMemoryAt(at) ? "data" : "hole", border - at));
      at = border;
    }
    return runs;
  }

  describe(): LayerDescription {
    return { driver: "@cev/hw-ramdisk", options: { ...this.#options }, lowers: [] };
  }

  /** Forgets all contents and gives their memory back. */
  clear(): void {
    this.#memory.clear();
  }

  #writeZeroes(io: Io): void {
    if ((io.flags & IoFlag.noHole) !== 0) {
      return this.#end(io, this.#memory.zeroAllocated(io.offset, io.length));
    }
    this.#memory.zero(io.offset, io.length);
    io.complete();
  }

  #end(io: Io, transferred: number): void {
    if (transferred === io.length) return io.complete();
    io.transferred = transferred;
    io.fail("CEV_NO_SPACE", "the buffer pool has no memory left for what was written", this.name);
  }
}
