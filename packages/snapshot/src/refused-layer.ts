import { LayerBase, READ_ONLY_SUPPORT, refuse } from "@cev/core";
import type { CevError, Io, LayerDescription, Limits, Support } from "@cev/core";

/** Stands where a snapshot is that cannot be opened: whoever tries is told why. */
export class RefusedLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support = READ_ONLY_SUPPORT;
  readonly #error: CevError;
  readonly #description: () => LayerDescription;

  constructor(
    name: string,
    {
      limits,
      error,
      description,
    }: {
      readonly limits: Limits;
      readonly error: CevError;
      readonly description: () => LayerDescription;
    },
  ) {
    super();
    this.name = name;
    this.limits = limits;
    this.#error = error;
    this.#description = description;
  }

  override open(): Promise<void> {
    return Promise.reject(this.#error);
  }

  submit(io: Io): void {
    refuse(io, this);
  }

  describe(): LayerDescription {
    return this.#description();
  }
}
