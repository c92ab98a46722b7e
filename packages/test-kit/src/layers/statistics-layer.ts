import { LayerBase, Op, opName, refuse, runAsBelow } from "@cev/core";
import type { Clock, Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";

/** What one operation came to. */
export interface OpCounts {
  count: number;
  /** Of those that succeeded. */
  bytes: number;
  errorCount: number;
}

/** What one operation came to, in full. */
export interface OpStatistics extends Readonly<OpCounts> {
  /** How many failed with which code. */
  readonly errors: { readonly [code: string]: number };
  /** How many requests had a length from 2^index bytes on, and less than twice that; those of no length are in the first. */
  readonly lengths: readonly number[];
  /** The same of the time they took, in microseconds; empty without a clock. */
  readonly latenciesUs: readonly number[];
}

/** Everything since the beginning, or since the last `reset`. */
export interface LayerStatistics {
  /** By the name of the operation, as in `opName`. */
  readonly ops: { readonly [op: string]: OpStatistics };
  readonly inFlight: number;
  readonly inFlightMax: number;
}

interface OpDetails {
  readonly errors: Record<string, number>;
  readonly lengths: number[];
  readonly latenciesUs: number[];
}

/** Counts what passes, and where it is given a clock, how long it took. */
export class StatisticsLayer extends LayerBase {
  readonly name = "statistics";
  readonly limits: Limits;
  readonly support: Support;
  /** By the name of the operation, as in `opName`. */
  counts: Record<string, OpCounts> = {};
  inFlightCount = 0;
  /** The most that were under way at one time. */
  inFlightMax = 0;
  readonly #lower: Layer;
  readonly #clock: Clock | null;
  #details: Record<string, OpDetails> = {};

  constructor(lower: Layer, options: { readonly clock?: Clock } = {}) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#clock = options.clock ?? null;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.flush:
      case Op.discard:
      case Op.writeZeroes:
        break;
      default:
        return refuse(io, this);
    }
    this.inFlightCount++;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlightCount);
    if (this.#clock === null) io.pushAction(count, this);
    else io.pushAction(countTimed, { layer: this, startedAt: this.#clock.now() });
    this.#lower.submit(io);
  }

  /** A copy of all that was counted, as plain data. */
  snapshot(): LayerStatistics {
    const ops = Object.fromEntries(
      Object.entries(this.counts).map(([op, counts]) => {
        const { errors, lengths, latenciesUs } = this.#details[op]!;
        return [
          op,
          { ...counts, errors: { ...errors }, lengths: [...lengths], latenciesUs: [...latenciesUs] },
        ];
      }),
    );
    return { ops, inFlight: this.inFlightCount, inFlightMax: this.inFlightMax };
  }

  /** Counts from 0 again; what is under way stays so. */
  reset(): void {
    this.counts = {};
    this.#details = {};
    this.inFlightMax = this.inFlightCount;
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: "@cev/test-kit/statistics", options: {}, lowers: [this.#lower.describe()] };
  }

  /** @internal `startedAt`: milliseconds of the clock; NaN without one. */
  count(io: Io, startedAt: number): void {
    this.inFlightCount--;
    const op = opName(io.op);
    const counts = (this.counts[op] ??= { count: 0, bytes: 0, errorCount: 0 });
    const details = (this.#details[op] ??= { errors: {}, lengths: [], latenciesUs: [] });
    counts.count++;
    if (io.error === null) counts.bytes += io.length;
    else {
      counts.errorCount++;
      details.errors[io.error.code] = (details.errors[io.error.code] ?? 0) + 1;
    }
    addTo(details.lengths, io.length);
    if (this.#clock !== null) addTo(details.latenciesUs, (this.#clock.now() - startedAt) * 1000);
  }
}

function addTo(buckets: number[], value: number): void {
  const index = value < 1 ? 0 : Math.floor(Math.log2(value));
  while (buckets.length <= index) buckets.push(0);
  buckets[index]!++;
}

function count(io: Io, layer: StatisticsLayer): void {
  layer.count(io, Number.NaN);
}

function countTimed(io: Io, timed: { readonly layer: StatisticsLayer; readonly startedAt: number }): void {
  timed.layer.count(io, timed.startedAt);
}
