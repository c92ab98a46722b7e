import { CevError, LayerBase, Op, narrowSupport, refuse, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import type { Options } from "./options.ts";

/** Settings of a `__CLASS__`. */
export interface LayerOptions extends Options {
  readonly isReadOnly?: boolean;
}

/** Leaves out the first bytes of the device below, and shows the rest. */
export class __CLASS__ extends LayerBase {
  readonly name = "__LAYER__";
  readonly limits: Limits;
  readonly support: Support;
  readonly start: number;
  readonly #lower: Layer;

  /** Throws `CEV_INVALID` where `start` does not fit the device. */
  constructor(lower: Layer, { start, isReadOnly = false }: LayerOptions) {
    super([lower]);
    const { size, logicalBlockSize } = lower.limits;
    if (start >= size || start % logicalBlockSize !== 0)
      throw new CevError(
        "CEV_INVALID",
        `start is ${start}: it has to be less than ${size} and a multiple of ${logicalBlockSize}`,
      );
    this.limits = { ...lower.limits, size: size - start };
    this.support = narrowSupport(
      lower.support,
      isReadOnly ? ["read"] : ["read", "write", "flush", "discard", "writeZeroes", "fua"],
    );
    this.start = start;
    this.#lower = lower;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        break;
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        if (this.support.write === "none") return refuse(io, this);
        break;
      case Op.flush:
        // It has no offset.
        if (this.support.flush === "none") refuse(io, this);
        else this.#lower.submit(io);
        return;
      default:
        return refuse(io, this);
    }
    // The same request goes down, and is as it was when it comes back.
    io.pushAction(restoreOffset, this.start);
    io.offset += this.start;
    this.#lower.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset + this.start, length);
  }

  describe(): LayerDescription {
    return { driver: "__PACKAGE__", options: { start: this.start }, lowers: [this.#lower.describe()] };
  }
}

function restoreOffset(io: Io, start: number): void {
  io.offset -= start;
}
