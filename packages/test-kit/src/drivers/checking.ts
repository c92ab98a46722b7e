import { Op, refuse } from "@cev/core";
import type { Driver, Io, Layer, LayerDescription } from "@cev/core";
import { CheckingLayer } from "../layers/checking-layer.ts";
import { filterDriver } from "./open-filter.ts";
import type { FilterSite } from "./open-filter.ts";

/** Says at once what is wrong: in a stack there is nobody who asks for `violations`. */
class TellingLayer extends CheckingLayer {
  readonly #tell: FilterSite["tell"];

  constructor(lower: Layer, tell: FilterSite["tell"]) {
    super(lower);
    this.#tell = tell;
  }

  /** Below a test an operation that nobody knows goes on, for others to refuse; in a stack that is not its to let through. */
  override submit(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    super.submit(io);
  }

  override violate(io: Io, what: string): void {
    super.violate(io, what);
    this.#tell("CEV_PROGRAM", `the layer contract is broken: ${this.violations.at(-1)!}`);
  }

  override describe(): LayerDescription {
    const lowers = this.lowers.map((lower) => lower.describe());
    return { driver: "@cev/test-kit/checking", options: {}, lowers };
  }
}

/** `@cev/test-kit/checking` in a stack file: holds the layers above and below it to the contract. */
export const checkingDriver: Driver<Readonly<Record<string, never>>> = filterDriver<
  Readonly<Record<string, never>>
>({
  name: "checking",
  summary: "holds the layers above and below it to the layer contract, and tells of every breach",
  properties: {},
  isFilter: true,
  make: (lower, _options, { tell }) => new TellingLayer(lower, tell),
});
