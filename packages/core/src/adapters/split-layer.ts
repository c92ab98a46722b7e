import { concatenate } from "../collations.ts";
import { CompoundIoPool } from "../compound-io.ts";
import { runAsBelow } from "../extents/run.ts";
import type { Run } from "../extents/run.ts";
import { Op, refuse } from "../io.ts";
import type { Io } from "../io.ts";
import { LayerBase } from "../layer.ts";
import type { Layer, LayerDescription } from "../layer.ts";
import { SIZE_MAX } from "../limits.ts";
import type { Limits } from "../limits.ts";
import type { Support } from "../support.ts";

/** Cuts requests to the largest that the layer below takes; above it there is no such limit. */
export class SplitLayer extends LayerBase {
  readonly name = "split";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #partMax: number;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);

  constructor(lower: Layer) {
    super([lower]);
    const { ioLengthMax, logicalBlockSize } = lower.limits;
    this.limits = { ...lower.limits, ioLengthMax: SIZE_MAX };
    this.support = lower.support;
    this.#lower = lower;
    this.#partMax = ioLengthMax - (ioLengthMax % logicalBlockSize);
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        if (io.length > this.#partMax) return this.#split(io);
        break;
      case Op.flush:
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
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }

  #split(io: Io): void {
    const compound = this.#compounds.over(io, concatenate);
    const hasData = io.op === Op.read || io.op === Op.write;
    for (let at = 0; at < io.length; at += this.#partMax) {
      const length = Math.min(this.#partMax, io.length - at);
      compound.add(
        this.#lower,
        io.op,
        io.offset + at,
        length,
        io.data,
        hasData ? io.dataOffset + at : 0,
        io.flags,
      );
    }
    compound.submit();
  }
}
