import { CevError, ProgramError } from "./errors.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { Action, WaitEntry } from "./wait-queue.ts";
import { compileModule, createMemory, instantiate } from "./web-assembly.ts";
import type { WasmExports, WasmMemory, WasmModule } from "./web-assembly.ts";

/** A compute kernel: a WebAssembly module without static data that works on whatever memory it is bound to. */
export interface Kernel<K> {
  /** The module's bytes. It imports `env.memory` and nothing else. */
  readonly bytes: Uint8Array;
  /** Bytes of memory in the slab that each bound kernel has to itself (tables, tweaks). */
  readonly scratchLength: number;
  /** Makes the kernel for one slab, from the module's exports and the address of its scratch. */
  bind(exports: WasmExports, scratchAddress: number, slab: Slab): K;
}

/** One fixed piece of WebAssembly memory. Kernels run in place on what lies in it. */
export class Slab {
  readonly memory: WasmMemory;
  readonly bytes: Uint8Array;
  readonly #pool: BufferPool;
  readonly #kernels = new Map<object, unknown>();
  #used = 0;

  /** @internal */
  constructor(pool: BufferPool, length: number) {
    this.#pool = pool;
    this.memory = createMemory(length);
    this.bytes = new Uint8Array(this.memory.buffer);
  }

  /** The kernel bound to this slab: instantiated once. */
  kernel<K>(kernel: Kernel<K>): K {
    let bound = this.#kernels.get(kernel) as K | undefined;
    if (bound === undefined) {
      const exports = instantiate(this.#pool.compiled(kernel), this.memory);
      bound = kernel.bind(exports, this.carve(Math.max(16, kernel.scratchLength)), this);
      this.#kernels.set(kernel, bound);
    }
    return bound;
  }

  /** @internal The address of a fresh 64-byte-aligned range, or -1 when less than `reserve` would be left. */
  tryCarve(length: number, reserve = 0): number {
    const address = this.#used;
    if (address + length + reserve > this.bytes.length) return -1;
    this.#used = (address + length + 63) & ~63;
    return address;
  }

  /** @internal */
  carve(length: number): number {
    const address = this.tryCarve(length);
    if (address < 0) throw new CevError("CEV_NO_MEMORY", "no room for a kernel's scratch in its slab");
    return address;
  }
}

/** Memory lent by a `BufferPool`. Its contents are whatever the last user left. */
export class PoolBuffer {
  readonly slab: Slab;
  /** Byte address in the slab's memory. */
  readonly address: number;
  /** All of it; at least as long as what was asked for. */
  readonly bytes: Uint8Array;
  /** @internal */
  isLent = true;

  /** @internal */
  constructor(slab: Slab, address: number, length: number) {
    this.slab = slab;
    this.address = address;
    this.bytes = new Uint8Array(slab.memory.buffer, address, length);
  }
}

/** Settings of a `BufferPool`. All in bytes. */
export interface BufferPoolOptions {
  /** Size of one slab: a multiple of 64 KiB. Memory is taken from the system only where it is touched. */
  readonly slabLength?: number;
  /** The most that may be lent at any time; beyond it `acquire` throws and `tryAcquire` answers null. */
  readonly bytesMax?: number;
}

const LENGTH_MIN = 512;
// Each slab keeps this much room for kernels bound to it later.
const KERNEL_ROOM = 65_536;

/**
 * The memory of a stack: buffers in fixed-size WebAssembly slabs, lent in powers of two from 512 bytes to half a
 * slab and used again, so that compute kernels run in place and nothing is allocated in the steady state.
 */
export class BufferPool {
  readonly slabLength: number;
  readonly bytesMax: number;
  /** Bytes lent at present, rounded up as lent. */
  bytesLent = 0;
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  #current: Slab | null = null;
  #lastFound: Slab | null = null;
  // By binary logarithm of the length.
  readonly #free: PoolBuffer[][] = Array.from({ length: 32 }, () => []);
  readonly #compiled = new Map<object, WasmModule>();
  readonly #room = new WaitQueue<BufferPool>();

  constructor(options: BufferPoolOptions = {}) {
    this.slabLength = options.slabLength ?? 16 * 1024 * 1024;
    this.bytesMax = options.bytesMax ?? Number.MAX_SAFE_INTEGER;
  }

  /** The longest buffer that can be lent. */
  get bufferLengthMax(): number {
    return 2 ** Math.floor(Math.log2(this.slabLength - KERNEL_ROOM));
  }

  /** Lends a buffer of at least `length` bytes. Throws `CEV_NO_MEMORY` at the pool's limit. */
  acquire(length: number): PoolBuffer {
    const buffer = this.tryAcquire(length);
    if (buffer === null)
      throw new CevError(
        "CEV_NO_MEMORY",
        `the buffer pool has lent ${this.bytesLent} of at most ${this.bytesMax} bytes`,
      );
    return buffer;
  }

  /** Lends a buffer of at least `length` bytes, or null at the pool's limit: then `waitForRoom`. */
  tryAcquire(length: number): PoolBuffer | null {
    const order = length <= LENGTH_MIN ? 9 : 32 - Math.clz32(length - 1);
    const rounded = 2 ** order;
    if (length > this.bufferLengthMax)
      throw new ProgramError(`a buffer of ${length} bytes was asked for, of at most ${this.bufferLengthMax}`);
    if (this.bytesLent + rounded > this.bytesMax) return null;
    this.bytesLent += rounded;
    const buffer = this.#free[order]!.pop();
    if (buffer !== undefined) {
      buffer.isLent = true;
      return buffer;
    }
    return this.#carve(rounded);
  }

  /** Gives a buffer back. Its memory may be lent again at once. */
  release(buffer: PoolBuffer): void {
    if (!buffer.isLent) throw new ProgramError("a buffer was released twice");
    buffer.isLent = false;
    this.bytesLent -= buffer.bytes.length;
    this.#free[31 - Math.clz32(buffer.bytes.length)]!.push(buffer);
    this.passRoomOn();
  }

  /** Is woken, one at a time and first come first served, whenever a buffer comes back. Then try again. */
  waitForRoom<C>(wake: Action<BufferPool, C>, context: C): WaitEntry {
    return this.#room.addExclusive(wake, context);
  }

  /** Stops waiting for room. False when the wake-up has run already: whoever has no use for it any more calls `passRoomOn`. */
  stopWaitingForRoom(entry: WaitEntry): boolean {
    return this.#room.remove(entry);
  }

  /** Wakes the next that waits for room: after a wake-up that one had no use for. */
  passRoomOn(): void {
    if (this.#room.length > 0) this.#room.wake(this, 1);
  }

  /** The slab in which this memory lies, or null: then it is not the pool's, and kernels need a copy. */
  slabOf(data: Uint8Array): Slab | null {
    const buffer = data.buffer;
    const last = this.#lastFound;
    if (last !== null && last.memory.buffer === buffer) return last;
    const slab = this.#slabs.get(buffer) ?? null;
    if (slab !== null) this.#lastFound = slab;
    return slab;
  }

  /** @internal */
  compiled(kernel: Kernel<unknown>): WasmModule {
    let module = this.#compiled.get(kernel);
    if (module === undefined) {
      module = compileModule(kernel.bytes);
      this.#compiled.set(kernel, module);
    }
    return module;
  }

  #carve(length: number): PoolBuffer {
    const current = this.#current;
    const address = current === null ? -1 : current.tryCarve(length, KERNEL_ROOM);
    if (current !== null && address >= 0) return new PoolBuffer(current, address, length);
    const slab = new Slab(this, this.slabLength);
    this.#slabs.set(slab.memory.buffer, slab);
    this.#current = slab;
    return new PoolBuffer(slab, slab.carve(length), length);
  }
}
