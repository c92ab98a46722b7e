import { CevError, LayerBase, Op, narrowSupport, refuse, runAsBelow } from "@cev/core";
import type {
  BufferPool,
  Environment,
  Io,
  Layer,
  LayerDescription,
  Limits,
  PoolBuffer,
  Run,
  Support,
} from "@cev/core";
import type { ByteSwapOptions, WordLength } from "./options.ts";
import { swapBytes } from "./swap.ts";

// What is written is turned round in memory of the pool: so much of it is held by one request.
const WRITE_LENGTH_MAX = 1_048_576;

/** Settings of a `SwapLayer`. */
export interface SwapLayerOptions extends ByteSwapOptions {
  readonly environment: Environment;
  readonly isReadOnly?: boolean;
}

/** The same words in the other byte order: for images of machines that stored them the other way round. */
export class SwapLayer extends LayerBase {
  readonly name = "byteswap";
  readonly limits: Limits;
  readonly support: Support;
  readonly wordLength: WordLength;
  readonly #lower: Layer;
  readonly #buffers: BufferPool;

  /** Throws `CEV_INVALID` where a block of the lower's is shorter than a word. */
  constructor(lower: Layer, { wordLength, environment, isReadOnly = false }: SwapLayerOptions) {
    super([lower]);
    const { logicalBlockSize, ioLengthMax } = lower.limits;
    if (logicalBlockSize < wordLength)
      throw new CevError("CEV_INVALID", `blocks of ${logicalBlockSize} bytes hold no words of ${wordLength}`);
    this.wordLength = wordLength;
    this.#lower = lower;
    this.#buffers = environment.buffers;
    const lengthMax = Math.max(Math.min(WRITE_LENGTH_MAX, this.#buffers.bufferLengthMax), logicalBlockSize);
    this.limits = { ...lower.limits, ioLengthMax: Math.min(ioLengthMax, lengthMax) };
    this.support = isReadOnly ? narrowSupport(lower.support, ["read"]) : lower.support;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        io.pushAction(swapRead, this);
        break;
      case Op.write:
        if (this.support.write === "none") return refuse(io, this);
        if (!this.#swapWrite(io)) return;
        break;
      case Op.flush:
        if (this.support.flush === "none") return refuse(io, this);
        break;
      case Op.discard:
      case Op.writeZeroes:
        // Zeroes are zeroes in any order.
        if (this.support.write === "none") return refuse(io, this);
        break;
      default:
        return refuse(io, this);
    }
    this.#lower.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return {
      driver: "@cev/convert/byteswap",
      options: { wordLength: this.wordLength },
      lowers: [this.#lower.describe()],
    };
  }

  /** @internal */
  release(buffer: PoolBuffer): void {
    this.#buffers.release(buffer);
  }

  /** The data of a write is the caller's: it is turned round in memory of the pool. False: the request has been failed. */
  #swapWrite(io: Io): boolean {
    const buffer = this.#buffers.tryAcquire(io.length);
    if (buffer === null) {
      io.fail("CEV_NO_MEMORY", "no buffer is left to turn the bytes of a write round in", this.name);
      return false;
    }
    const { data, dataOffset } = io;
    swapBytes(data, dataOffset, buffer.bytes, 0, io.length, this.wordLength);
    io.pushAction(restoreData, { layer: this, buffer, data, dataOffset });
    io.data = buffer.bytes;
    io.dataOffset = 0;
    return true;
  }
}

function swapRead(io: Io, { wordLength }: SwapLayer): void {
  // Of a read that failed in the middle, the whole words before that are good.
  io.transferred -= io.transferred % wordLength;
  swapBytes(io.data, io.dataOffset, io.data, io.dataOffset, io.transferred, wordLength);
}

interface Replaced {
  readonly layer: SwapLayer;
  readonly buffer: PoolBuffer;
  readonly data: Uint8Array;
  readonly dataOffset: number;
}

function restoreData(io: Io, { layer, buffer, data, dataOffset }: Replaced): void {
  io.data = data;
  io.dataOffset = dataOffset;
  layer.release(buffer);
}
