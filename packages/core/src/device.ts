import { BlockLayer } from "./adapters/block-layer.ts";
import { EmulationLayer } from "./adapters/emulation-layer.ts";
import { SplitLayer } from "./adapters/split-layer.ts";
import { CancelScope } from "./cancel-scope.ts";
import type { AbortSignalLike } from "./cancel-scope.ts";
import type { Claim } from "./claims.ts";
import type { Environment } from "./environment.ts";
import { CevError } from "./errors.ts";
import { extentsOfBytes, knowsExtents } from "./extents/extents-of.ts";
import type { ExtentsOptions } from "./extents/extents-of.ts";
import type { Extent } from "./extents/merge.ts";
import { IoFlag, IoPool, Op, opName, submitThrew } from "./io.ts";
import type { Io } from "./io.ts";
import { closeTree, openTree } from "./layer.ts";
import type { Layer } from "./layer.ts";
import { SIZE_MAX } from "./limits.ts";
import type { Limits } from "./limits.ts";
import { supportOf } from "./support.ts";
import type { Support } from "./support.ts";
import { WaitQueue } from "./wait-queue.ts";

/** Settings of a `Device`. */
export interface DeviceOptions {
  /** What the user calls it; by default the layer's name. */
  readonly name?: string;
  /** Refuse every operation that writes. */
  readonly isReadOnly?: boolean;
  /** The smallest unit of requests, in bytes; 1 (the default) takes any alignment. At most the layer's own block size. */
  readonly blockSize?: number;
}

/** Settings of one call. */
export interface CallOptions {
  /** Cancels the call: it rejects with `CEV_CANCELLED`, or still succeeds when it was too late. */
  readonly signal?: AbortSignalLike;
}

/** Settings of one call that writes. */
export interface WriteOptions extends CallOptions {
  /** Durable before the promise resolves. */
  readonly fua?: boolean;
}

/** Settings of `Device.chunks`. */
export interface ChunksOptions extends CallOptions {
  /** Bytes per chunk; by default the preferred length of the device, at least 256 KiB. */
  readonly chunkLength?: number;
  /** How many reads are under way at once. Default 4. */
  readonly concurrencyMax?: number;
  /** By offset (default), or as they arrive. */
  readonly order?: "offset" | "arrival";
}

/** A part of a large read. */
export interface Chunk {
  readonly offset: number;
  readonly data: Uint8Array;
}

/**
 * The entry of a stack, and the easy way to use one: promises, any alignment, abort signals, `await using`. Here requests are
 * checked (range, alignment, state); the layers below trust that.
 */
export class Device implements AsyncDisposable {
  readonly name: string;
  /** The uppermost layer of the stack, adapters not counted. */
  readonly layer: Layer;
  readonly environment: Environment;
  readonly limits: Limits;
  readonly support: Support;
  readonly isReadOnly: boolean;
  readonly #top: Layer;
  readonly #claim: Claim;
  readonly #ios: IoPool;
  readonly #drained = new WaitQueue<Device>();
  // Weak: a signal that nobody holds any more takes its scope along.
  readonly #scopes = new WeakMap<AbortSignalLike, CancelScope>();
  #inFlightCount = 0;
  #closing: Promise<void> | null = null;

  /** Use `Device.open`. */
  private constructor(
    layer: Layer,
    top: Layer,
    environment: Environment,
    claim: Claim,
    options: DeviceOptions,
  ) {
    this.layer = layer;
    this.name = options.name ?? layer.name;
    this.environment = environment;
    this.#top = top;
    this.limits = top.limits;
    this.support = top.support;
    this.isReadOnly = claim.mode === "read";
    this.#claim = claim;
    this.#ios = new IoPool(environment.runQueue);
  }

  /** Opens the layers of a stack, lowest first, and claims the uppermost. Throws `CEV_BUSY` where another writer has it. */
  static async open(layer: Layer, environment: Environment, options: DeviceOptions = {}): Promise<Device> {
    const isReadOnly = options.isReadOnly === true || layer.support.write === "none";
    const name = options.name ?? layer.name;
    const claim = layer.claims.acquire({ name: `the device ${name}` }, isReadOnly ? "read" : "write", name);
    try {
      await openTree(layer);
    } catch (error) {
      claim.release();
      throw error;
    }
    try {
      const top = adapt(layer, environment, options.blockSize ?? 1);
      return new Device(layer, top, environment, claim, options);
    } catch (error) {
      claim.release();
      await closeTree(layer).catch(() => undefined);
      throw error;
    }
  }

  /** Bytes. */
  get size(): number {
    return this.limits.size;
  }

  /** Some layer of the stack can tell more of its extents than that everything is data. */
  get knowsExtents(): boolean {
    return knowsExtents(this.layer);
  }

  /** How many requests are under way. */
  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  /** Hands an `Io` to the stack, after the checks. The data path of servers; everything else here is built on it. */
  submit(io: Io): void {
    const { size, logicalBlockSize } = this.limits;
    if (this.#closing !== null) return io.fail("CEV_CLOSED", "the device is closed", this.name);
    if (!(io.offset >= 0 && io.length >= 0 && io.offset + io.length <= size)) {
      return io.fail("CEV_OUT_OF_RANGE", `the device ends at byte ${size}`, this.name);
    }
    if (logicalBlockSize > 1 && (io.offset % logicalBlockSize !== 0 || io.length % logicalBlockSize !== 0)) {
      return io.fail("CEV_INVALID", `requests must be multiples of ${logicalBlockSize} bytes`, this.name);
    }
    if (!Number.isSafeInteger(io.offset) || !Number.isSafeInteger(io.length))
      return io.fail("CEV_INVALID", "offset and length are whole bytes", this.name);
    if (io.op <= Op.write && io.data.length < io.dataOffset + io.length)
      return io.fail("CEV_INVALID", "the memory is shorter than the request", this.name);
    if (this.isReadOnly && io.op !== Op.read && io.op !== Op.flush)
      return io.fail("CEV_READ_ONLY", "the device is open read-only", this.name);
    if (supportOf(this.support, io.op) === "none" && !(io.op === Op.flush && this.isReadOnly)) {
      return io.fail("CEV_NOT_SUPPORTED", `${opName(io.op)} is not offered by ${this.layer.name}`, this.name);
    }
    // Nothing to do is done, except for a flush: that has no range.
    if (io.op === Op.flush ? this.isReadOnly : io.length === 0) return io.complete();
    this.#inFlightCount++;
    io.pushAction(leaveDevice, this);
    try {
      this.#top.submit(io);
    } catch (error) {
      submitThrew(io, error, this.name);
    }
  }

  /** Reads into fresh memory. Rejects with a `CevError`. */
  async read(offset: number, length: number, options: CallOptions = {}): Promise<Uint8Array> {
    const data = new Uint8Array(Math.max(0, Math.min(length, this.size)));
    await this.#call(Op.read, offset, length, data, 0, options.signal);
    return data;
  }

  /** Reads into the caller's memory, all of it. */
  readInto(offset: number, data: Uint8Array, options: CallOptions = {}): Promise<void> {
    return this.#call(Op.read, offset, data.length, data, 0, options.signal);
  }

  /** Writes all of `data`, which may not be changed until the promise settles. */
  write(offset: number, data: Uint8Array, options: WriteOptions = {}): Promise<void> {
    return this.#call(Op.write, offset, data.length, data, flagsOf(options), options.signal);
  }

  /** Makes every write that has completed survive a power cut. */
  flush(options: CallOptions = {}): Promise<void> {
    return this.#call(Op.flush, 0, 0, null, 0, options.signal);
  }

  /** The range need not be kept: reads may return anything until it is written again. */
  discard(offset: number, length: number, options: WriteOptions = {}): Promise<void> {
    return this.#call(Op.discard, offset, length, null, flagsOf(options), options.signal);
  }

  /** The range reads as zeroes from now on. `noHole`: it stays allocated. */
  writeZeroes(
    offset: number,
    length: number,
    options: WriteOptions & { readonly noHole?: boolean } = {},
  ): Promise<void> {
    return this.#call(
      Op.writeZeroes,
      offset,
      length,
      null,
      flagsOf(options) | (options.noHole === true ? IoFlag.noHole : 0),
      options.signal,
    );
  }

  /** Reads a large range in chunks, several at once, each handed out as soon as it is there. Each chunk's memory is the caller's. */
  async *chunks(
    offset = 0,
    length: number = this.size - offset,
    options: ChunksOptions = {},
  ): AsyncGenerator<Chunk, void, void> {
    const chunkLength = options.chunkLength ?? Math.max(this.limits.ioLengthPreferred, 262_144);
    const end = offset + length;
    let next = offset;
    const underWay = new Map<number, Promise<Chunk>>();
    const start = (): void => {
      const at = next;
      const part = Math.min(chunkLength, end - at);
      next += part;
      const reading = this.read(at, part, options).then((data) => ({ offset: at, data }));
      // Whoever stops iterating leaves reads behind: their failure is nobody's.
      reading.catch(() => undefined);
      underWay.set(at, reading);
    };
    while (next < end || underWay.size > 0) {
      while (next < end && underWay.size < (options.concurrencyMax ?? 4)) start();
      const first =
        options.order === "arrival" ? Promise.race(underWay.values()) : underWay.values().next().value;
      const chunk = (await first)!;
      underWay.delete(chunk.offset);
      yield chunk;
    }
  }

  /**
   * What is known of a range, of any alignment: where it is a hole, and where it reads as zeroes. Without gaps from `offset` on;
   * up to the end of the range, or of `countMax` extents or `effortMax`. Borders lie at whole blocks of the layer. What nothing is known of is
   * data. Rejects with a `CevError`.
   */
  async extents(
    offset: number,
    length: number,
    options: Omit<ExtentsOptions, "pause"> = {},
  ): Promise<Extent[]> {
    if (this.#closing !== null)
      throw new CevError("CEV_CLOSED", "the device is closed", { layer: this.name });
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size))
      throw new CevError("CEV_OUT_OF_RANGE", `the device ends at byte ${this.size}`, { layer: this.name });
    this.#inFlightCount++;
    try {
      return await extentsOfBytes(this.layer, offset, length, { ...options, pause: this.#pause });
    } finally {
      this.left();
    }
  }

  /** Refuses new requests, waits for those under way, flushes, and closes the layers. Calling it again waits for the same. */
  close(): Promise<void> {
    this.#closing ??= this.#drainAndClose();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  left(): void {
    if (--this.#inFlightCount === 0 && this.#closing !== null) this.#drained.wake(this);
  }

  readonly #pause = (): Promise<void> => new Promise((resolve) => this.environment.later(resolve));

  #call(
    op: Op,
    offset: number,
    length: number,
    data: Uint8Array | null,
    flags: number,
    signal: AbortSignalLike | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const io = this.#ios.acquire().prepare(op, offset, length, data, 0, flags);
      io.setOwner((done) => {
        const { error } = done;
        this.#ios.release(done);
        if (error === null) resolve();
        else reject(error);
      }, null);
      if (signal === undefined || this.#scopeOf(signal).add(io)) this.submit(io);
    });
  }

  #scopeOf(signal: AbortSignalLike): CancelScope {
    let scope = this.#scopes.get(signal);
    if (scope === undefined) {
      scope = new CancelScope(signal);
      this.#scopes.set(signal, scope);
    }
    return scope;
  }

  async #drainAndClose(): Promise<void> {
    if (this.#inFlightCount > 0)
      await new Promise<void>((resolve) => this.#drained.add(() => resolve(), null));
    const errors: unknown[] = [];
    if (!this.isReadOnly && this.support.flush !== "none")
      await this.#flushTop().catch((error: unknown) => errors.push(error));
    this.#claim.release();
    await closeTree(this.layer).catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0] as CevError;
  }

  #flushTop(): Promise<unknown> {
    const io = this.#ios.acquire().prepare(Op.flush, 0, 0);
    const done = io.promise();
    try {
      this.#top.submit(io);
    } catch (error) {
      submitThrew(io, error, this.name);
    }
    return done;
  }
}

/** Puts on top of a layer the adapters it needs to take requests of `blockSize` and any length, with FUA and zeroes. */
export function adapt(layer: Layer, environment: Environment, blockSize: number): Layer {
  if (!(blockSize >= 1 && layer.limits.logicalBlockSize % blockSize === 0)) {
    throw new CevError(
      "CEV_INVALID",
      `blockSize ${blockSize} does not divide the device's ${layer.limits.logicalBlockSize}`,
    );
  }
  let top = layer;
  if (EmulationLayer.isUsefulOver(top)) top = new EmulationLayer(top);
  if (top.limits.ioLengthMax < SIZE_MAX) top = new SplitLayer(top);
  if (top.limits.logicalBlockSize > blockSize)
    top = new BlockLayer(top, { logicalBlockSize: blockSize, environment });
  return top;
}

function flagsOf(options: WriteOptions): number {
  return options.fua === true ? IoFlag.fua : 0;
}

function leaveDevice(_io: Io, device: Device): void {
  device.left();
}
