import { Completion, EventState, completedTwice } from "./completion.ts";
import { IoError } from "./errors.ts";
import type { CevError, ErrorCode } from "./errors.ts";
import type { RunQueue } from "./run-queue.ts";

/** What an `Io` asks for. A layer lists those it knows and refuses the rest. */
export const Op = { read: 0, write: 1, flush: 2, discard: 3, writeZeroes: 4 } as const;
export type Op = (typeof Op)[keyof typeof Op];

/** Flags of an `Io`, or-ed together. */
export const IoFlag = {
  /** Write, writeZeroes, discard: durable before it completes ("force unit access"). */
  fua: 1,
  /** WriteZeroes: the range must stay allocated. */
  noHole: 2,
  /** WriteZeroes: fail with `CEV_NOT_SUPPORTED` rather than be slower than a write. */
  fastZero: 4,
} as const;

const NAMES = ["read", "write", "flush", "discard", "writeZeroes"] as const;

/** The name of an operation, as in `Op`. */
export function opName(op: Op): string {
  return NAMES[op] ?? `operation ${String(op)}`;
}

const NO_DATA = new Uint8Array(0);

/**
 * One request and its completion: the container that travels. The same object goes all the way down a stack.
 * A layer that remaps changes `offset` and puts it back in an action; the caller owns the memory.
 */
export class Io extends Completion {
  op: Op = Op.read;
  /** `IoFlag`s, or-ed. */
  flags = 0;
  // NaN, not 0: so that the engine keeps a double in place, and offsets past 2^31 allocate nothing.
  /** Bytes from the start of the layer it is submitted to. */
  offset: number = Number.NaN;
  /** Bytes. */
  length: number = Number.NaN;
  /** The caller's memory, from `dataOffset`, `length` bytes (read and write; empty otherwise). */
  data: Uint8Array = NO_DATA;
  dataOffset = 0;
  /** Bytes done, counted from `offset` without a gap; all of `length` after success. */
  transferred: number = Number.NaN;

  constructor(runQueue: RunQueue) {
    super(runQueue);
    this.offset = 0;
    this.length = 0;
    this.transferred = 0;
  }

  /** Fills in a request. Recycles the object when it has been used before. Returns it. */
  prepare(
    op: Op,
    offset: number,
    length: number,
    data: Uint8Array | null = null,
    dataOffset = 0,
    flags = 0,
  ): this {
    this.recycle();
    this.op = op;
    this.flags = flags;
    this.offset = offset;
    this.length = length;
    this.data = data ?? NO_DATA;
    this.dataOffset = dataOffset;
    this.transferred = 0;
    return this;
  }

  /** Ends the request; success means that all of `length` is done. */
  override complete(error: CevError | null = null): void {
    if (this.state !== EventState.pending) throw completedTwice(this);
    if (error === null) this.transferred = this.length;
    else this.error = error;
    this.state = EventState.completing;
    this.runQueue.run(this);
  }

  override restart(): void {
    super.restart();
    this.transferred = 0;
  }

  /** Ends the request with an error that says which layer, operation and range. */
  fail(code: ErrorCode, message: string, layer: string, cause?: unknown): void {
    this.complete(ioError(this, code, message, layer, cause));
  }
}

/** An error that names the layer, operation and range of an `Io`. */
export function ioError(io: Io, code: ErrorCode, message: string, layer: string, cause?: unknown): IoError {
  const place = { layer, op: opName(io.op), offset: io.offset, length: io.length };
  return new IoError(code, message, cause === undefined ? place : { ...place, cause });
}

/** Ends an `Io` whose operation the layer does not know or offer. */
export function refuse(io: Io, layer: { readonly name: string }): void {
  io.fail("CEV_NOT_SUPPORTED", `${opName(io.op)} is not offered here`, layer.name);
}

/**
 * The `submit` of a layer, or of one below it, threw, which the contract forbids: the `Io`, if it is still under way, fails with `CEV_PROGRAM`, so that
 * nobody waits for ever. If it has gone its way, the error is reported.
 */
export function submitThrew(io: Io, cause: unknown, layer: string): void {
  if (io.state !== EventState.pending) {
    io.runQueue.report(cause);
    return;
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  io.complete(ioError(io, "CEV_PROGRAM", `the submit of a layer threw: ${message}`, layer, cause));
}

/** Submits from where nobody above catches what a layer throws: a completion, a promise, a callback. See `submitThrew`. */
export function submitTo(layer: { readonly name: string; submit(io: Io): void }, io: Io): void {
  try {
    layer.submit(io);
  } catch (error) {
    submitThrew(io, error, layer.name);
  }
}

/** `Io` objects to use again: nothing is allocated in the steady state. */
export class IoPool {
  readonly #free: Io[] = [];
  readonly #runQueue: RunQueue;

  constructor(runQueue: RunQueue) {
    this.#runQueue = runQueue;
  }

  acquire(): Io {
    return this.#free.pop() ?? new Io(this.#runQueue);
  }

  /** Only the owner of a done `Io` gives it back. */
  release(io: Io): void {
    io.data = NO_DATA;
    this.#free.push(io);
  }
}
