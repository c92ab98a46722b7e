import { Op } from "@cev/core";
import type { Environment, Io, Layer, LayerDescription, Timer } from "@cev/core";
import { VolatileCacheLayer } from "./volatile-cache-layer.ts";
import type { CutReport, VolatileCacheOptions } from "./volatile-cache-layer.ts";

/** Settings of a `CuttingLayer`. */
export interface CuttingOptions extends VolatileCacheOptions {
  /** The power goes so long after it was opened. Milliseconds. */
  readonly cutAfterMs?: number;
  /** The power goes with this write, zeroes or discard since it was opened, counted from 1. */
  readonly cutAfterWrites?: number;
  /** Whether the power comes back as soon as it is decided what survives. Default "never": not until it is opened anew. */
  readonly returns?: "never" | "atOnce";
  /** Hears what became of the writes that were not flushed. */
  readonly onCut?: (report: CutReport) => void;
}

/** A volatile cache whose power goes by itself. */
export class CuttingLayer extends VolatileCacheLayer {
  readonly #environment: Environment;
  readonly #plan: Pick<CuttingOptions, "cutAfterMs" | "cutAfterWrites" | "returns">;
  readonly #onCut: CuttingOptions["onCut"];
  #changeCount = 0;
  #timer: Timer | null = null;
  #cutting: Promise<void> = Promise.resolve();

  constructor(lower: Layer, options: CuttingOptions) {
    const { cutAfterMs, cutAfterWrites, returns, onCut, ...others } = options;
    super(lower, others);
    this.#environment = options.environment;
    this.#onCut = onCut;
    this.#plan = {
      ...(cutAfterMs !== undefined && { cutAfterMs }),
      ...(cutAfterWrites !== undefined && { cutAfterWrites }),
      ...(returns !== undefined && { returns }),
    };
  }

  override async open(): Promise<void> {
    await super.open();
    this.#changeCount = 0;
    const { cutAfterMs } = this.#plan;
    if (cutAfterMs !== undefined)
      this.#timer = this.#environment.clock.after(cutAfterMs, () => this.#cutNow());
  }

  override submit(io: Io): void {
    const isChange = io.op === Op.write || io.op === Op.discard || io.op === Op.writeZeroes;
    super.submit(io);
    if (isChange && ++this.#changeCount === this.#plan.cutAfterWrites) this.#cutNow();
  }

  override async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    await this.#cutting;
    await super.close();
  }

  override describe(): LayerDescription {
    const { driver, options, lowers } = super.describe();
    return { driver, options: { ...options, ...this.#plan }, lowers };
  }

  #cutNow(): void {
    if (this.isOff) return;
    // What cannot be written below is lost, as it may be; the requests that need it will say so.
    this.#cutting = this.cut().then(
      (report) => {
        if (this.#plan.returns === "atOnce") this.restore();
        this.#onCut?.(report);
      },
      () => undefined,
    );
  }
}
