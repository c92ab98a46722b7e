import { AsyncLayer, LayerBase, Op, refuse, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Next, Run, Support } from "@cev/core";

/** Passes everything on. Nobody may notice that it is there. */
export class NoOpLayer extends LayerBase {
  readonly name = "no-op";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.flush:
      case Op.discard:
      case Op.writeZeroes:
        this.#lower.submit(io);
        return;
      default:
        return refuse(io, this);
    }
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: "@cev/test-kit/no-op", options: {}, lowers: [this.#lower.describe()] };
  }
}

/** The same, written with plain async methods: it completes everything in a later turn. */
export class AsyncNoOpLayer extends AsyncLayer {
  readonly name = "async no-op";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
  }

  override async read(io: Io, next: Next): Promise<void> {
    await next(io);
  }

  override async write(io: Io, next: Next): Promise<void> {
    await next(io);
  }

  override async flush(io: Io, next: Next): Promise<void> {
    await next(io);
  }

  override async discard(io: Io, next: Next): Promise<void> {
    await next(io);
  }

  override async writeZeroes(io: Io, next: Next): Promise<void> {
    await next(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    const lowers = [this.#lower.describe()];
    return { driver: "@cev/test-kit/no-op", options: { isAsync: true }, lowers };
  }
}
