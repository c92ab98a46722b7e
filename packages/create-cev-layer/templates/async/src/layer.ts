import { AsyncLayer, CevError, ioError, narrowSupport, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Next, Run, Support } from "@cev/core";
import type { Options } from "./options.ts";

/** Settings of a `__CLASS__`. */
export interface LayerOptions extends Options {
  readonly isReadOnly?: boolean;
}

/** Leaves out the first bytes of the device below, and shows the rest. */
export class __CLASS__ extends AsyncLayer {
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

  override read(io: Io, next: Next): Promise<void> {
    return this.#shifted(io, next);
  }

  override async write(io: Io, next: Next): Promise<void> {
    this.#checkWritable(io);
    await this.#shifted(io, next);
  }

  override async discard(io: Io, next: Next): Promise<void> {
    this.#checkWritable(io);
    await this.#shifted(io, next);
  }

  override async writeZeroes(io: Io, next: Next): Promise<void> {
    this.#checkWritable(io);
    await this.#shifted(io, next);
  }

  override async flush(io: Io, next: Next): Promise<void> {
    this.#checkWritable(io);
    await next(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset + this.start, length);
  }

  describe(): LayerDescription {
    return { driver: "__PACKAGE__", options: { start: this.start }, lowers: [this.#lower.describe()] };
  }

  /** The same request goes down, and is as it was when it comes back. */
  async #shifted(io: Io, next: Next): Promise<void> {
    io.offset += this.start;
    try {
      await next(io);
    } finally {
      io.offset -= this.start;
    }
  }

  #checkWritable(io: Io): void {
    if (this.support.write === "none")
      throw ioError(io, "CEV_NOT_SUPPORTED", "nothing can be written here", this.name);
  }
}
