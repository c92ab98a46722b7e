import { LayerBase, Op, opName, refuse, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";

/** What one operation came to. */
export interface OpCounts {
  count: number;
  /** Of those that succeeded. */
  bytes: number;
  errorCount: number;
}

/** Counts what passes. */
export class StatisticsLayer extends LayerBase {
  readonly name = "statistics";
  readonly limits: Limits;
  readonly support: Support;
  /** By the name of the operation, as in `opName`. */
  readonly counts: Record<string, OpCounts> = {};
  inFlightCount = 0;
  /** The most that were under way at one time. */
  inFlightMax = 0;
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
        this.inFlightCount++;
        this.inFlightMax = Math.max(this.inFlightMax, this.inFlightCount);
        io.pushAction(count, this);
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
    return { driver: "statistics", options: {}, lowers: [this.#lower.describe()] };
  }
}

function count(io: Io, layer: StatisticsLayer): void {
  layer.inFlightCount--;
  const counts = (layer.counts[opName(io.op)] ??= { count: 0, bytes: 0, errorCount: 0 });
  counts.count++;
  if (io.error === null) counts.bytes += io.length;
  else counts.errorCount++;
}
