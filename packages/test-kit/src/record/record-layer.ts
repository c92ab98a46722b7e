import { LayerBase, Op, refuse, runAsBelow } from "@cev/core";
import type { Environment, Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import { LogWritesSink } from "./log-writes-sink.ts";
import type { RecordSink, RecordedRequest } from "./recorded.ts";

/** Settings of a `RecordLayer`. */
export interface RecordOptions {
  readonly environment: Environment;
  readonly sink: RecordSink;
}

/** Records all requests that pass, in memory or in a log that Linux's tools can replay. */
export class RecordLayer extends LayerBase {
  readonly name = "record";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #sink: RecordSink;
  #serial = 0;
  #endOrder = 0;

  constructor(lower: Layer, options: RecordOptions) {
    super(options.sink instanceof LogWritesSink ? [lower, options.sink.log] : [lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#environment = options.environment;
    this.#sink = options.sink;
    if (options.sink instanceof LogWritesSink) options.sink.checkDevice(lower);
  }

  override async open(): Promise<void> {
    await super.open();
    try {
      await this.#sink.open();
    } catch (error) {
      this.releaseLowers();
      throw error;
    }
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
    const { op, flags, offset, length, data, dataOffset } = io;
    const request: RecordedRequest = {
      serial: this.#serial++,
      op,
      flags,
      offset,
      length,
      data: op === Op.write ? data.slice(dataOffset, dataOffset + length) : null,
      beganAt: this.#environment.clock.now(),
      endedAt: Number.NaN,
      endOrder: -1,
      error: null,
    };
    this.#sink.began(request);
    io.pushAction(ended, { layer: this, request });
    this.#lower.submit(io);
  }

  /** Puts a text between the requests. */
  mark(text: string): Promise<void> {
    return this.#sink.mark(text);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  override async close(): Promise<void> {
    try {
      await this.#sink.close();
    } finally {
      await super.close();
    }
  }

  describe(): LayerDescription {
    return {
      driver: "@cev/test-kit/record",
      options: {},
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }

  /** @internal */
  ended(io: Io, request: RecordedRequest): void {
    request.endedAt = this.#environment.clock.now();
    request.endOrder = this.#endOrder++;
    request.error = io.error?.code ?? null;
    const kept = this.#sink.ended(request);
    if (kept === null) return;
    io.hold();
    void kept.then(() => io.resume());
  }
}

function ended(io: Io, { layer, request }: { layer: RecordLayer; request: RecordedRequest }): void {
  layer.ended(io, request);
}
