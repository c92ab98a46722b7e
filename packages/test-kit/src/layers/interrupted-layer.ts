import { IoFlag, LayerBase, Op, ioError } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";

/**
 * A process that dies while a write is being made durable: once it is "breaking", the next write with FUA gets no further than the cache
 * of the disk, and fails; whatever comes later fails too.
 */
export class InterruptedLayer extends LayerBase {
  readonly name = "interrupted";
  readonly limits: Limits;
  readonly support: Support;
  state: "whole" | "breaking" | "broken" = "whole";
  readonly #disk: Layer;

  constructor(disk: Layer) {
    super([disk]);
    this.limits = disk.limits;
    this.support = disk.support;
    this.#disk = disk;
  }

  submit(io: Io): void {
    if (this.state === "broken") return io.fail("CEV_IO", "it was interrupted", this.name);
    if (this.state === "breaking" && io.op === Op.write && (io.flags & IoFlag.fua) !== 0) {
      this.state = "broken";
      io.flags = 0;
      io.pushAction(interrupted, this);
    }
    this.#disk.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#disk.describe()] };
  }
}

function interrupted(io: Io, layer: InterruptedLayer): void {
  io.flags = IoFlag.fua;
  io.error ??= ioError(io, "CEV_IO", "it was interrupted", layer.name);
  io.transferred = 0;
}
