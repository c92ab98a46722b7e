import { BlockLayer } from "../adapters/block-layer.ts";
import { EmulationLayer } from "../adapters/emulation-layer.ts";
import { SplitLayer } from "../adapters/split-layer.ts";
import type { Environment } from "../environment.ts";
import { CevError } from "../errors.ts";
import { Op } from "../io.ts";
import type { Io } from "../io.ts";
import { LayerBase } from "../layer.ts";
import type { Layer, LayerDescription } from "../layer.ts";
import type { Limits } from "../limits.ts";
import type { Support } from "../support.ts";

/** What a joint has promised to whoever stands on it. */
export interface Promised {
  readonly limits: Limits;
  readonly support: Support;
}

/** Puts on a layer what it needs to keep what was promised for another. Throws `CEV_INVALID` where that cannot be had. */
export function fit(layer: Layer, { limits, support }: Promised, environment: Environment): Layer {
  const refusal = refusalOf(layer, { limits, support });
  if (refusal !== null) throw new CevError("CEV_INVALID", refusal, { layer: layer.name });
  let top = layer;
  const lacksFua = support.fua !== "none" && top.support.fua === "none";
  const lacksZeroes = support.writeZeroes !== "none" && top.support.writeZeroes === "none";
  if (lacksFua || lacksZeroes) top = new EmulationLayer(top);
  if (support.discard !== "none" && top.support.discard === "none") top = new KeepingLayer(top);
  if (top.limits.ioLengthMax < limits.ioLengthMax) top = new SplitLayer(top);
  const { logicalBlockSize } = limits;
  if (top.limits.logicalBlockSize > logicalBlockSize)
    top = new BlockLayer(top, { logicalBlockSize, environment });
  return top;
}

function refusalOf(layer: Layer, promised: Promised): string | null {
  const { name, limits, support } = layer;
  if (limits.size < promised.limits.size)
    return `${name} has ${limits.size} bytes, and ${promised.limits.size} are in use`;
  for (const feature of ["read", "write", "flush"] as const) {
    if (promised.support[feature] !== "none" && support[feature] === "none")
      return `${name} does not offer ${feature}, which is in use`;
  }
  return null;
}

/** Over a layer that discards nothing: a discard is done, and what it names is kept, which a discard allows. */
class KeepingLayer extends LayerBase {
  readonly name = "keeping";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = { ...lower.support, discard: "emulated" };
    this.#lower = lower;
  }

  submit(io: Io): void {
    if (io.op === Op.discard) io.complete();
    else this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }
}
