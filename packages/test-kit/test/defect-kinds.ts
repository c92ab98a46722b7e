import { LayerBase } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { noOpKind } from "../src/index.ts";
import type { SimulationKind } from "../src/index.ts";

/** Something that is wrong with a layer. */
export interface Defect {
  readonly name: string;
  readonly kind: SimulationKind;
  /** What may be said of it. */
  readonly finding: RegExp;
}

/** A kind that passes requests on, except that something is wrong with some of them. */
export function defectKind(spoil: (io: Io, lower: Layer) => void): SimulationKind {
  class DefectLayer extends LayerBase {
    readonly name = "defect";
    readonly limits: Limits;
    readonly support: Support;

    constructor(lower: Layer) {
      super([lower]);
      this.limits = lower.limits;
      this.support = lower.support;
    }

    submit(io: Io): void {
      spoil(io, this.lowers[0]!);
    }

    describe(): LayerDescription {
      return { driver: "defect", options: {}, lowers: [] };
    }
  }
  return {
    ...noOpKind,
    name: "defect",
    plan: (_random, size) => ({ kind: "defect", options: {}, lowers: [size] }),
    open: (site) => Promise.resolve(new DefectLayer(site.whole()[0]!.layer)),
  };
}

const READ = 0;
const WRITE = 1;
const FLUSH = 2;

export const DEFECTS: readonly Defect[] = [
  {
    name: "a flush that goes nowhere",
    kind: defectKind((io, lower) => (io.op === FLUSH ? io.complete() : lower.submit(io))),
    finding: /holds neither what was flushed nor anything later/,
  },
  {
    name: "a write that goes nowhere",
    kind: defectKind((io, lower) =>
      io.op === WRITE && io.length === 1024 ? io.complete() : lower.submit(io),
    ),
    finding: /is not what was written last|gave what was not written last|nor anything later/,
  },
  {
    name: "a read of something else",
    kind: defectKind((io, lower) => {
      if (io.op === READ && io.length === 512) {
        io.data.fill(7, io.dataOffset, io.dataOffset + 512);
        return io.complete();
      }
      return lower.submit(io);
    }),
    finding: /gave what was not written last/,
  },
  {
    name: "a request that never ends",
    kind: defectKind((io, lower) => {
      if (io.op !== WRITE || io.length !== 2048) lower.submit(io);
    }),
    finding: /has not happened/,
  },
  {
    name: "an error for no reason",
    kind: defectKind((io, lower) => {
      if (io.op === WRITE && io.length === 3072) io.fail("CEV_IO", "no reason", "defect");
      else lower.submit(io);
    }),
    finding: /a write of \d+ at sector \d+ failed: CEV_IO no reason/,
  },
  {
    name: "a FUA that is dropped",
    kind: defectKind((io, lower) => {
      if (io.op === WRITE) io.flags = 0;
      lower.submit(io);
    }),
    finding: /holds neither what was flushed nor anything later|contract was broken/,
  },
];
