import type { Environment, Layer, LayerDescription, Limits, Support } from "@cev/core";
import type { Random } from "../random.ts";

/** A disk for the layer under test to stand on. */
export interface LowerOptions {
  readonly size: number;
  readonly blockSize?: number;
  readonly support?: Partial<Support>;
  readonly limits?: Partial<Limits>;
}

/** What a subject makes its layer from. */
export interface TestBench {
  readonly environment: Environment;
  /** From the seed of the test. */
  readonly random: Random;
  /** False when the layer is made again over what it left behind (after a close or a power cut): then open, do not format. */
  readonly isFirst: boolean;
  /**
   * A disk of the suite's: the n-th call gives the n-th disk, with what is left on it when it is not the first time. It can
   * be read and written at once, also before it is opened.
   */
  lower(options: LowerOptions): Layer;
  /** The disks that were made last, in their order, with what is left on them: to make a layer from its description. */
  lowersAgain(): readonly Layer[];
  /** Runs after the test, also when it failed: last in, first out. */
  onEnd(run: () => void | Promise<void>): void;
}

/** The parts of the suite. */
export const THEMES = [
  "interface",
  "describe",
  "contents",
  "alignment",
  "limits",
  "refusals",
  "zeroes",
  "extents",
  "durability",
  "errors",
  "completion",
  "deferral",
  "cancel",
  "transparency",
  "resize",
  "close",
] as const;
export type Theme = (typeof THEMES)[number];

/** What a layer promises beyond its `limits`. What it denies in `support` is tested to be refused. */
export interface Manifest {
  /** What `support` has to say, operation by operation. */
  readonly support: Support;
  /** Made again after a close, it holds what it held. Default true. */
  readonly isPersistent?: boolean;
  /** Succeeds although a lower failed, because it has redundancy or tries again. Default false: such success is an error. */
  readonly canHideErrors?: boolean;
  /** So many lowers, any of them, may be lost under load, and every request still succeeds. Default 0. */
  readonly lostLowersMax?: number;
  /** How long anything may take before it counts as lost, in milliseconds of the clock that the layer is given. Default 120,000: machines are slow, and do other things, too. */
  readonly deadlineMs?: number;
  /**
   * Where its environment comes from. "real" (default): for layers that call the system, or anything else that ends in its own time.
   * "simulated": its clock and turns are under control, a run repeats exactly, and a request that nobody will ever end is found at once.
   * What promises have to say is heard between turns and not between the tasks of one: a layer that gathers what ends together may gather
   * more then, which the theme "transparency" takes for a difference.
   */
  readonly world?: "real" | "simulated";
  /** What its disks write whole or not at all when the power goes. Bytes. Default: 512, or the largest physical block of them. */
  readonly atomicLength?: number;
  /** How it grows. Absent: it does not, which is listed. */
  readonly resize?: ResizeManifest;
  /**
   * Makes the layer from what its `describe` said, on `bench.lowersAgain()`, not opened; `reopenWith` does it by the driver. Absent: it
   * cannot be made so here, which is listed.
   */
  readonly reopen?: (description: LayerDescription, bench: TestBench) => Layer | Promise<Layer>;
  /** Themes that are left out, each with the reason. They are listed as skipped. */
  readonly skip?: { readonly [theme in Theme]?: string };
}

/** How a layer grows. */
export interface ResizeManifest {
  /** Makes the open layer larger, while requests are under way. Resolves with the size it has from then on, or will have: `shows`. */
  readonly grow: (layer: Layer, bench: TestBench) => Promise<number>;
  /** Its `limits` say so at once, or when it is closed and made again. */
  readonly shows: "atOnce" | "reopened";
}

/** A layer in one configuration, and what it promises. */
export interface Subject {
  /** For the report: layer and configuration. */
  readonly name: string;
  readonly manifest: Manifest;
  /** Added to the seeds of the suite, to try others than everybody does. Default 0. */
  readonly seed?: number;
  /** Makes the layer, not opened. At most 64 MiB in size. */
  create(bench: TestBench): Layer | Promise<Layer>;
}

/** One test of the suite. */
export interface Check {
  readonly theme: Theme;
  /** A claim. */
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** A test that is left out. */
export interface SkippedCheck {
  readonly theme: Theme;
  readonly name: string;
  readonly reason: string;
}

/** What the suite has for a subject. */
export interface Conformance {
  readonly checks: readonly Check[];
  readonly skipped: readonly SkippedCheck[];
}

/** Takes in a test of a theme; `without`: why it is left out, null where it is not. */
export type AddCheck = (name: string, run: () => Promise<void>, without?: string | null) => void;

const DEADLINE_MS_DEFAULT = 120_000;

/** How long any one thing may take. */
export function deadlineMsOf({ manifest }: Subject): number {
  return manifest.deadlineMs ?? DEADLINE_MS_DEFAULT;
}

/** A failed claim: what was found. */
export function fail(finding: string): never {
  throw new Error(finding);
}

/** Throws the finding unless the condition holds. */
export function expectThat(condition: boolean, finding: string): asserts condition {
  if (!condition) fail(finding);
}
