import { LayerBase, Op, READ_ONLY_SUPPORT, refuse, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";

/**
 * Lets reads through and nothing else: below a stack that is opened read-only stands one of these wherever a layer could be
 * written, so that no driver above can write by mistake.
 */
export class ReadOnlyLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support = READ_ONLY_SUPPORT;
  readonly #lower: Layer;

  constructor(lower: Layer) {
    super([lower]);
    this.name = lower.name;
    this.limits = lower.limits;
    this.#lower = lower;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#lower.submit(io);
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        return io.fail("CEV_READ_ONLY", "the stack is open read-only", this.name);
      default:
        return refuse(io, this);
    }
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return this.#lower.describe();
  }
}

/** The layer itself where it cannot be written anyway. */
export function readOnly(layer: Layer): Layer {
  return layer.support.write === "none" ? layer : new ReadOnlyLayer(layer);
}
