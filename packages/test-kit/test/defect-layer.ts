import { Io, LayerBase, Op, refuse, runAsBelow } from "@cev/core";
import type { Environment, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import type { LowerOptions, Manifest, TestBench, Theme } from "../src/index.ts";

/** What makes a layer broken: everything not given here is as it should be. */
export interface Defect {
  readonly submit?: (io: Io, layer: DefectLayer) => void;
  readonly limits?: (limits: Limits) => Limits;
  readonly support?: Partial<Support>;
  readonly describe?: () => LayerDescription;
  readonly claims?: "none";
  readonly runs?: (
    offset: number,
    length: number,
    layer: DefectLayer,
  ) => readonly Run[] | Promise<readonly Run[]>;
}

/** A layer that passes everything on, but for its defect. */
export class DefectLayer extends LayerBase {
  readonly name = "defect";
  readonly limits: Limits;
  readonly support: Support;
  readonly lower: Layer;
  readonly environment: Environment;
  readonly seed: number;
  scratch: Uint8Array = new Uint8Array(0);
  readonly cache: Map<number, Uint8Array> = new Map<number, Uint8Array>();
  readonly underWay: Set<Io> = new Set<Io>();
  lastWrite: { offset: number; data: Uint8Array } = { offset: 0, data: new Uint8Array(0) };
  isDirty = false;
  readonly #defect: Defect;

  constructor(lower: Layer, environment: Environment, defect: Defect, seed: number) {
    super([lower]);
    this.lower = lower;
    this.environment = environment;
    this.limits = defect.limits?.(lower.limits) ?? lower.limits;
    this.support = { ...lower.support, ...defect.support };
    this.seed = seed;
    this.#defect = defect;
  }

  override open(): Promise<void> {
    return this.#defect.claims === "none" ? Promise.resolve() : super.open();
  }

  submit(io: Io): void {
    if (this.#defect.submit === undefined) this.pass(io);
    else this.#defect.submit(io, this);
  }

  runs(offset: number, length: number): readonly Run[] | Promise<readonly Run[]> {
    return this.#defect.runs?.(offset, length, this) ?? runAsBelow(this.lower, offset, length);
  }

  pass(io: Io): void {
    if (io.op > Op.writeZeroes) refuse(io, this);
    else this.lower.submit(io);
  }

  /** An `Io` of the layer's own, with an action of its own to run at the end. */
  send(op: Op, offset: number, data: Uint8Array, ended: (io: Io) => void, flags = 0): void {
    const io = new Io(this.environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
    io.wait(() => ended(io), null);
    this.lower.submit(io);
  }

  describe(): LayerDescription {
    return this.#defect.describe?.() ?? { driver: "defect", options: {}, lowers: [this.lower.describe()] };
  }
}

export const nothing: Uint8Array = new Uint8Array(0);
export const dataOf = (io: Io): Uint8Array => io.data.subarray(io.dataOffset, io.dataOffset + io.length);
export const isWrite = (io: Io): boolean => io.op === Op.write;
export const flip = (bytes: Uint8Array): void =>
  bytes.forEach((byte, index) => void (bytes[index] = byte ^ 0x55));

export const when =
  (fits: (io: Io) => boolean, misbehave: (io: Io, layer: DefectLayer) => void) =>
  (io: Io, layer: DefectLayer): void => {
    if (fits(io)) misbehave(io, layer);
    else layer.pass(io);
  };

/** The finding of what never ends; it is waited for so long. */
export const HANGS: Broken["finding"] = /within 300 ms/;

export interface Broken {
  readonly what: string;
  readonly theme: Theme;
  readonly finding: RegExp;
  readonly defect: Defect;
  readonly lower?: Partial<LowerOptions>;
  readonly manifest?: Partial<Manifest>;
  /** Which checks of the theme are run. Default: all. */
  readonly check?: RegExp;
  /** Instead of a `DefectLayer`. */
  readonly create?: (bench: TestBench) => Promise<Layer>;
}
