import { Buffer } from "node:buffer";
import { CevError } from "@cev/core";
import type { BufferPool, PoolBuffer } from "@cev/core";
import type { MemoryBudget } from "./memory-budget.ts";

/**
 * Memory that several hold at once: the connection that receives into it or sends from it, and requests whose data lies in
 * it. It goes back to its pool when the last of them lets go.
 */
export class SharedBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The same memory, as what sockets take. */
  readonly node: Buffer;
  readonly #pool: SharedBufferPool;
  /** @internal */
  readonly lent: PoolBuffer | null;
  #holderCount = 1;

  /** @internal Use `SharedBufferPool.acquire`. */
  constructor(pool: SharedBufferPool, bytes: Uint8Array, lent: PoolBuffer | null) {
    this.#pool = pool;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.node = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
    this.lent = lent;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** True when nobody but the caller holds it. */
  get isMine(): boolean {
    return this.#holderCount === 1;
  }

  retain(): void {
    this.#holderCount++;
  }

  release(): void {
    if (--this.#holderCount === 0) this.#pool.takeBack(this);
  }

  /** @internal */
  reuse(): this {
    this.#holderCount = 1;
    return this;
  }
}

// As many idle buffers are kept for the next connection or burst; the rest goes back to the stack's own pool.
const IDLE_COUNT_MAX = 8;

/** Shared buffers of one length, made of the stack's buffer pool. */
export class SharedBufferPool {
  readonly bufferLength: number;
  readonly #buffers: BufferPool;
  readonly #budget: MemoryBudget | null;
  readonly #idle: SharedBuffer[] = [];
  #isClosed = false;

  /** `budget`: where they are counted. */
  constructor(buffers: BufferPool, bufferLength: number, budget: MemoryBudget | null = null) {
    this.#buffers = buffers;
    this.#budget = budget;
    this.bufferLength = bufferLength;
  }

  /** Throws `CEV_NO_MEMORY` where the system has none. */
  acquire(): SharedBuffer {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle.reuse();
    // A connection is bounded by limits of its own: where the stack's pool has no more to lend, it is served all the same.
    const buffer = this.#make();
    this.#budget?.takeBuffer(this.bufferLength);
    return buffer;
  }

  /** True where one more would not take more than all connections may have together. */
  get hasRoom(): boolean {
    if (this.#idle.length > 0 || this.#budget === null) return true;
    return this.#budget.bytesTaken + this.bufferLength <= this.#budget.bytesMax;
  }

  #make(): SharedBuffer {
    try {
      const lent = this.#buffers.tryAcquire(this.bufferLength);
      return new SharedBuffer(this, lent?.bytes ?? new Uint8Array(this.bufferLength), lent);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new CevError("CEV_NO_MEMORY", `the system has no ${this.bufferLength} bytes for a connection`, {
        cause,
      });
    }
  }

  /** Gives idle memory back to the stack; what is in use follows as soon as it is not. */
  close(): void {
    this.#isClosed = true;
    for (const buffer of this.#idle.splice(0)) this.#giveBack(buffer);
  }

  /** @internal */
  takeBack(buffer: SharedBuffer): void {
    if (!this.#isClosed && this.#idle.length < IDLE_COUNT_MAX) this.#idle.push(buffer);
    else this.#giveBack(buffer);
  }

  #giveBack(buffer: SharedBuffer): void {
    this.#budget?.giveBuffer(this.bufferLength);
    if (buffer.lent !== null) this.#buffers.release(buffer.lent);
  }
}
