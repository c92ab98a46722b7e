import { FULL_SUPPORT, Io, IoError, LayerBase, Op, RunQueue, plainLimits, refuse } from "../src/index.ts";
import type { Completion, Layer, LayerDescription, Limits, Support } from "../src/index.ts";

/** Turns of an event loop that a test runs by hand. */
export class Turns {
  readonly #tasks: (() => void)[] = [];
  readonly later = (task: () => void): void => {
    this.#tasks.push(task);
  };

  get pendingCount(): number {
    return this.#tasks.length;
  }

  /** Runs one turn: what it adds belongs to the next. */
  runOne(): void {
    for (const task of this.#tasks.splice(0)) task();
  }

  runAll(): void {
    while (this.#tasks.length > 0) this.runOne();
  }
}

/** A run queue over turns run by hand. */
export function newQueue(turns: Turns = new Turns()): RunQueue {
  return new RunQueue({ later: turns.later });
}

/** A read of one block under way. */
export function newIo(runQueue: RunQueue): Io {
  return new Io(runQueue).prepare(Op.read, 4096, 4096, new Uint8Array(4096));
}

/** Memory that completes at once, or keeps each request until it is told; every request is noted. */
export class MemoryLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly bytes: Uint8Array;
  readonly seen: Io[] = [];
  readonly waiting: Io[] = [];
  isManual = false;
  /** Consulted per request: an error to fail it with, or null. */
  failure: (io: Io) => IoError | null = () => null;

  constructor(
    size: number,
    options: { name?: string; limits?: Partial<Limits>; support?: Partial<Support> } = {},
  ) {
    super();
    this.name = options.name ?? "memory";
    this.limits = plainLimits(size, options.limits ?? {});
    this.support = { ...FULL_SUPPORT, ...options.support };
    this.bytes = new Uint8Array(size);
  }

  submit(io: Io): void {
    this.seen.push(io);
    if (io.op > Op.writeZeroes) return refuse(io, this);
    if (this.isManual) {
      io.pushAction(nothing, this);
      this.waiting.push(io);
    } else {
      this.#finish(io);
    }
  }

  /** Does and completes a request that waits: the oldest, or that of the index. */
  finish(index = 0): void {
    this.#finish(this.waiting.splice(index, 1)[0]!);
  }

  finishAll(): void {
    while (this.waiting.length > 0) this.finish();
  }

  onCancel(event: Completion): void {
    const index = this.waiting.findIndex((io) => io === event);
    if (index >= 0) this.waiting.splice(index, 1)[0]!.complete(new IoError("CEV_CANCELLED", "cancelled"));
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [] };
  }

  #finish(io: Io): void {
    const error = this.failure(io);
    if (error === null) {
      const end = io.offset + io.length;
      if (io.op === Op.read) io.data.set(this.bytes.subarray(io.offset, end), io.dataOffset);
      if (io.op === Op.write)
        this.bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + io.length), io.offset);
      if (io.op === Op.writeZeroes) this.bytes.fill(0, io.offset, end);
    }
    io.complete(error);
  }
}

function nothing(): void {
  // Stands in the chain so that its context, the layer, hears of a cancel.
}

/** Adds a constant to the offset on the way down and puts it back on the way up. */
export class OffsetLayer extends LayerBase {
  readonly name: string = "offset";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #start: number;

  constructor(lower: Layer, start: number) {
    super([lower]);
    this.limits = { ...lower.limits, size: lower.limits.size - start };
    this.support = lower.support;
    this.#lower = lower;
    this.#start = start;
  }

  submit(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    if (io.op !== Op.flush) {
      io.pushAction(restoreOffset, this.#start);
      io.offset += this.#start;
    }
    this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: { start: this.#start }, lowers: [this.#lower.describe()] };
  }
}

function restoreOffset(io: Io, start: number): void {
  io.offset -= start;
}
