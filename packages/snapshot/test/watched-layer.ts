import { LayerBase, Op } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";

/** Says of each request to a disk that it is about to be done. */
export class WatchedLayer extends LayerBase {
  readonly name = "watched";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #onRequest: (io: Io) => void;

  constructor(lower: Layer, onRequest: (io: Io) => void) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#onRequest = onRequest;
  }

  submit(io: Io): void {
    if (io.op !== Op.read) this.#onRequest(io);
    this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return this.#lower.describe();
  }
}
