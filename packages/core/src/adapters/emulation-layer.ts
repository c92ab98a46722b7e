import { concatenate } from "../collations.ts";
import { CompoundIoPool } from "../compound-io.ts";
import { runAsBelow } from "../extents/run.ts";
import type { Run } from "../extents/run.ts";
import { Io, IoFlag, Op, refuse, submitTo } from "../io.ts";
import { LayerBase } from "../layer.ts";
import type { Layer, LayerDescription } from "../layer.ts";
import type { Limits } from "../limits.ts";
import type { Support } from "../support.ts";

const ZEROES_LENGTH = 65_536;

/**
 * Does in other ways what the layer below does not offer: a durable write as a write and a flush, and zeroes as
 * a write of zeroes.
 */
export class EmulationLayer extends LayerBase {
  readonly name = "emulation";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);
  readonly #zeroes = new Uint8Array(ZEROES_LENGTH);

  constructor(lower: Layer) {
    super([lower]);
    const { support } = lower;
    const canWrite = support.write !== "none";
    this.limits = lower.limits;
    this.support = {
      ...support,
      fua: support.fua === "none" && support.flush !== "none" && canWrite ? "emulated" : support.fua,
      writeZeroes: support.writeZeroes === "none" && canWrite ? "emulated" : support.writeZeroes,
    };
    this.#lower = lower;
  }

  /** True where this layer would add anything. */
  static isUsefulOver(lower: Layer): boolean {
    return (
      lower.support.write !== "none" && (lower.support.fua === "none" || lower.support.writeZeroes === "none")
    );
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.write:
      case Op.discard:
        break;
      case Op.writeZeroes:
        if (this.#lower.support.writeZeroes === "none") return this.#writeZeroes(io);
        break;
      case Op.read:
      case Op.flush:
        this.#lower.submit(io);
        return;
      default:
        return refuse(io, this);
    }
    if ((io.flags & IoFlag.fua) !== 0 && this.#lower.support.fua === "none") this.#addFlush(io);
    this.#lower.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }

  #writeZeroes(io: Io): void {
    if ((io.flags & IoFlag.fastZero) !== 0) {
      io.fail("CEV_NOT_SUPPORTED", "zeroes cannot be written faster than data here", this.name);
      return;
    }
    const hasFua = (io.flags & IoFlag.fua) !== 0;
    if (hasFua && this.#lower.support.fua === "none") this.#addFlush(io);
    // What is left of the flags: a write knows no others.
    const flags = io.flags & IoFlag.fua;
    const compound = this.#compounds.over(io, concatenate);
    for (let at = 0; at < io.length; at += ZEROES_LENGTH) {
      compound.add(
        this.#lower,
        Op.write,
        io.offset + at,
        Math.min(ZEROES_LENGTH, io.length - at),
        this.#zeroes,
        0,
        flags,
      );
    }
    compound.submit();
  }

  /** The request loses its FUA on the way down; when it comes back, a flush follows before it goes on upwards. */
  #addFlush(io: Io): void {
    io.pushAction(flushAfter, this);
    io.flags &= ~IoFlag.fua;
  }

  /** @internal */
  flushFor(io: Io): void {
    io.hold();
    const flush = new Io(io.runQueue).prepare(Op.flush, 0, 0);
    flush.setOwner((done) => {
      if (done.error !== null) {
        io.error = done.error;
        io.transferred = 0;
      }
      io.resume();
    }, null);
    submitTo(this.#lower, flush);
  }
}

function flushAfter(io: Io, layer: EmulationLayer): void {
  io.flags |= IoFlag.fua;
  if (io.error === null) layer.flushFor(io);
}
