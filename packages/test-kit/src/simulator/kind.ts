import type { Environment, Json, Layer, NamedLayer } from "@cev/core";
import type { Random } from "../random.ts";

type Options = { readonly [key: string]: Json };

/** One layer of a plan: which kind, its parameters, and what it stands on. */
export interface KindPlan {
  readonly kind: string;
  readonly options: Options;
  /** Sizes of what it stands on, in bytes. */
  readonly lowers: readonly number[];
}

/** Where a kind is at work: the layers below it are open. */
export interface SimulationSite {
  readonly environment: Environment;
  readonly options: Options;
  /** By place; null: it could not be opened. */
  readonly lowers: readonly (NamedLayer | null)[];
  /** The same, for kinds that cannot do without any. Throws where one is missing. */
  readonly whole: () => readonly NamedLayer[];
}

/** What is true of a layer whatever happens. */
export interface SimulationTraits {
  /** So many of its lowers it can do without. Default 0. */
  readonly lossesMax?: number;
  /** With lowers missing and writes cut short it refuses to open, rather than guess. */
  readonly refusesDegraded?: boolean;
  /** It keeps nothing: no cuts and no reopening where it is part of a stack. */
  readonly forgets?: boolean;
  /** Its room may run out: then it refuses by `CEV_NO_SPACE` or fails for good. */
  readonly mayOverflow?: boolean;
  /** The range of its first lower, in bytes, in which it notices each bit that was altered: it may fail then, and gives no wrong byte. */
  readonly detects?: { readonly offset: number; readonly length: number };
}

/** Where a chore is done: requests come meanwhile. */
export interface ChoreSite {
  readonly layer: Layer;
  readonly lowers: readonly NamedLayer[];
  readonly options: Options;
  readonly environment: Environment;
  readonly random: Random;
}

/** Something a layer can be told to do beside requests: to check itself, to give a member up and take it back. */
export interface Chore {
  readonly name: string;
  /** Default: always. */
  readonly isPossible?: (options: Options) => boolean;
  /** Called while nothing is missing. Resolves with what it found wrong, in words. What it throws is a finding too. */
  run(site: ChoreSite): Promise<readonly string[]> | Promise<void>;
}

/** A layer for the grammar of the simulator. Nothing of it may do real input or output, or look at real clocks. */
export interface SimulationKind {
  readonly name: string;
  /** Whose it is: "@cev/raid". */
  readonly package: string;
  /** Changes when its plans do: a replay line of another version is told so. */
  readonly planVersion: number;
  readonly traits: (options: Options) => SimulationTraits;
  /** Parameters of one that shows `size` bytes at least. */
  plan(random: Random, size: number): KindPlan;
  /** Plans that show as much and are simpler, the simplest first: tried when a failure is made small. */
  simpler?(plan: KindPlan): Iterable<KindPlan>;
  /** Once, on lowers that hold anything. Absent: nothing is to be written. */
  format?(site: SimulationSite): Promise<void>;
  /** Makes the layer; it is opened by the simulator. Called again after each cut or close. */
  open(site: SimulationSite): Promise<Layer>;
  /** Resolves when what it does by itself has ended: a resync. */
  settle?(layer: Layer): Promise<void>;
  /** Takes back what was lost and is there again, and what a chore had given up when the power went, while requests come. */
  mend?(layer: Layer, lowers: readonly NamedLayer[], environment: Environment): Promise<void>;
  /** What it can be told to do. */
  readonly chores?: readonly Chore[];
  /** After work has ended and was flushed: what is wrong with it, in words. */
  verify?(layer: Layer): Promise<readonly string[]>;
}
