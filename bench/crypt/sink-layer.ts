import { LayerBase, READ_ONLY_SUPPORT, plainLimits } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";

/** A disk that costs nothing: every request is done at once, and moves no data. */
export class SinkLayer extends LayerBase {
  readonly name = "sink";
  readonly limits: Limits;
  readonly support: Support = { ...READ_ONLY_SUPPORT, write: "native", flush: "native", fua: "native" };

  constructor(size: number) {
    super();
    this.limits = plainLimits(size);
  }

  submit(io: Io): void {
    io.complete();
  }

  describe(): LayerDescription {
    return { driver: "sink", options: {}, lowers: [] };
  }
}
