import {
  CompoundIoPool,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  concatenate,
  plainLimits,
  refuse,
  runAsBelow,
} from "@cev/core";
import type { Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import type { RaidLayer } from "./raid-layer.ts";

/** What a `ReshapeLayer` is made of. */
export interface ReshapeLayerOptions {
  /** The array in the shape from before, and in that of after; both read-only, over the same members. */
  readonly before: RaidLayer;
  readonly after: RaidLayer;
  /** Byte of the array that the reshape has reached. */
  readonly position: number;
  /** What lies from the position on has the new shape; else what lies before it. */
  readonly isBackwards: boolean;
  /** Bytes. */
  readonly size: number;
}

/** An array in the middle of a reshape, read-only: each side of the position is read in its own shape. */
export class ReshapeLayer extends LayerBase {
  readonly name = "reshape";
  readonly limits: Limits;
  readonly support: Support = READ_ONLY_SUPPORT;
  readonly before: RaidLayer;
  readonly after: RaidLayer;
  readonly #options: ReshapeLayerOptions;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);

  constructor(options: ReshapeLayerOptions) {
    const { before, after, size } = options;
    super([before, after]);
    const { logicalBlockSize, physicalBlockSize } = before.limits;
    this.limits = plainLimits(size, { logicalBlockSize, physicalBlockSize });
    this.before = before;
    this.after = after;
    this.#options = options;
  }

  submit(io: Io): void {
    if (io.op !== Op.read) return refuse(io, this);
    const { position, isBackwards } = this.#options;
    const first = isBackwards ? this.before : this.after;
    const second = isBackwards ? this.after : this.before;
    const length = position - io.offset;
    if (length >= io.length) return first.submit(io);
    if (length <= 0) return second.submit(io);
    const compound = this.#compounds.over(io, concatenate);
    compound.add(first, io.op, io.offset, length, io.data, io.dataOffset, io.flags);
    compound.add(second, io.op, position, io.length - length, io.data, io.dataOffset + length, io.flags);
    compound.submit();
  }

  runs(offset: number, length: number): readonly Run[] {
    const { position, isBackwards } = this.#options;
    const isFirst = offset < position;
    const layer = isFirst === isBackwards ? this.before : this.after;
    return runAsBelow(layer, offset, isFirst ? Math.min(length, position - offset) : length);
  }

  describe(): LayerDescription {
    return this.after.describe();
  }
}
