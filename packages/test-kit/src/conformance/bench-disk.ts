import type { Layer, LayerDescription } from "@cev/core";
import { CheckingLayer } from "../layers/checking-layer.ts";
import type { CheckingLayerOptions } from "../layers/checking-layer.ts";

const DRIVER = "disk of the suite";

/** What core puts between layers whose limits differ: it stands in the same place as what is below. */
const ADAPTERS: readonly string[] = ["block", "emulation", "split"];

/** A disk of the suite as the layer under test sees it: describes itself by its place among them. */
export class BenchDisk extends CheckingLayer {
  override readonly name: string;
  readonly #index: number;

  constructor(lower: Layer, index: number, options: CheckingLayerOptions) {
    super(lower, options);
    this.name = `disk ${index}`;
    this.#index = index;
  }

  override describe(): LayerDescription {
    return { driver: DRIVER, options: { index: this.#index }, lowers: [] };
  }
}

/** Which disk of the suite a layer described as what it stands on; -1: none, or one below something else. */
export function diskIndexOf({ driver, options, lowers }: LayerDescription): number {
  if (driver === DRIVER) return Number(options["index"]);
  const [lower] = lowers;
  return lower !== undefined && ADAPTERS.includes(driver) ? diskIndexOf(lower) : -1;
}
