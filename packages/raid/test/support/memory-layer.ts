import { FULL_SUPPORT, IoError, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";

/** How a `MemoryLayer` behaves. */
export interface MemoryLayerOptions {
  /** Runs completions later; without it they come before `submit` returns. */
  readonly later?: (task: () => void) => void;
  readonly limits?: Partial<Limits>;
  readonly support?: Partial<Support>;
}

/**
 * A disk in memory that shows what reached it: every request in order, and what would be left after a power cut. It can
 * fail requests on demand.
 */
export class MemoryLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly bytes: Uint8Array;
  /** What a power cut leaves: flushed and FUA writes. */
  readonly durable: Uint8Array;
  readonly log: { op: Op; offset: number; length: number; flags: number }[] = [];
  /** Asked before each request: a code fails it. */
  fault: ((io: Io) => "CEV_IO" | "CEV_MEDIUM" | "CEV_DEVICE_LOST" | "CEV_NO_SPACE" | null) | null = null;
  /** Called after each write. */
  onWrite: (() => void) | null = null;
  readonly #later: ((task: () => void) => void) | null;

  constructor(name: string, bytes: Uint8Array, options: MemoryLayerOptions = {}) {
    super();
    this.name = name;
    this.bytes = bytes;
    this.durable = Uint8Array.from(bytes);
    this.limits = plainLimits(bytes.length, options.limits);
    this.support = { ...FULL_SUPPORT, ...options.support };
    this.#later = options.later ?? null;
  }

  get writeCount(): number {
    return this.log.filter(({ op }) => op === Op.write).length;
  }

  submit(io: Io): void {
    this.log.push({ op: io.op, offset: io.offset, length: io.length, flags: io.flags });
    if (this.#later === null) this.#serve(io);
    else this.#later(() => this.#serve(io));
  }

  describe(): LayerDescription {
    return { driver: "memory", options: {}, lowers: [] };
  }

  #serve(io: Io): void {
    const code = this.fault?.(io) ?? null;
    if (code !== null)
      return io.complete(new IoError(code, `${this.name} fails on demand`, { layer: this.name }));
    const end = io.offset + io.length;
    if (io.offset < 0 || end > this.bytes.length) throw new Error(`${this.name}: a request past the end`);
    switch (io.op) {
      case Op.read:
        io.data.set(this.bytes.subarray(io.offset, end), io.dataOffset);
        break;
      case Op.write:
        this.bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + io.length), io.offset);
        if ((io.flags & 1) !== 0) this.durable.set(this.bytes.subarray(io.offset, end), io.offset);
        this.onWrite?.();
        break;
      case Op.flush:
        this.durable.set(this.bytes);
        break;
      default:
        return refuse(io, this);
    }
    io.complete();
  }
}
