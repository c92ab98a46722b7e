import { Device, JointLayer, adapt, closeTree, openTree } from "@cev/core";
import type { Environment, Layer, NamedLayer } from "@cev/core";
import { CheckingLayer } from "../layers/checking-layer.ts";
import { FaultLayer } from "../layers/fault-layer.ts";
import { AsyncNoOpLayer, NoOpLayer } from "../layers/no-op-layer.ts";
import { PowerCutLayer } from "../layers/power-cut-layer.ts";
import type { SimulationKind, SimulationSite } from "./kind.ts";
import { disksOf, isDisk } from "./plan.ts";
import type { DiskPlan, LayerPlan, PlanNode, StackPlan } from "./plan.ts";

const INSERTED_MAX = 2;

/** A disk of a run, with a volatile cache, that can be made to fail. */
export interface SimulatedDisk {
  readonly plan: DiskPlan;
  readonly platter: PowerCutLayer;
  readonly fault: FaultLayer;
}

/** A layer of a kind, where it stands. */
export interface Place {
  readonly kind: SimulationKind;
  readonly plan: LayerPlan;
  readonly layer: Layer;
  readonly lowers: readonly (NamedLayer | null)[];
  /** Disks below each of the lowers, by their numbers. */
  readonly disks: readonly (readonly number[])[];
}

/** Disks that hold these images, which are theirs from now on. */
export function disksFrom(
  environment: Environment,
  plan: StackPlan,
  images: readonly Uint8Array[],
): SimulatedDisk[] {
  return disksOf(plan.top).map((disk, index) => {
    const platter = new PowerCutLayer(environment, {
      size: disk.size,
      blockSize: disk.blockSize,
      ...(disk.ioLengthMax === null ? {} : { ioLengthMax: disk.ioLengthMax }),
      atomicLength: disk.blockSize,
      completion: disk.later ? "later" : "atOnce",
      support: {
        fua: disk.fua ? "native" : "none",
        writeZeroes: disk.zeroes ? "native" : "none",
        discard: disk.discard ? "native" : "none",
      },
      contents: images[index]!,
      sharesContents: true,
    });
    return { plan: disk, platter, fault: new FaultLayer(platter, environment) };
  });
}

/** A stack, opened over disks. */
export class Rig {
  readonly environment: Environment;
  readonly places: Place[] = [];
  readonly checks: CheckingLayer[] = [];
  /** Null: not open. */
  device: Device | null = null;
  readonly #plan: StackPlan;
  readonly #kinds: ReadonlyMap<string, SimulationKind>;
  readonly #disks: readonly SimulatedDisk[];
  readonly #held: Layer[] = [];
  readonly #joints: JointLayer[] = [];
  /** What a joint stood on before layers were put in, one after the other. */
  readonly #before = new Map<JointLayer, Layer[]>();
  #diskIndex = 0;

  constructor(
    environment: Environment,
    plan: StackPlan,
    kinds: ReadonlyMap<string, SimulationKind>,
    disks: readonly SimulatedDisk[],
  ) {
    this.environment = environment;
    this.#plan = plan;
    this.#kinds = kinds;
    this.#disks = disks;
  }

  /** Disks below what could not be opened, or may only be read. */
  get lackedDisks(): readonly number[] {
    return this.places.flatMap(({ lowers, disks }) =>
      lowers.flatMap((lower, at) =>
        lower === null || lower.layer.support.write === "none" ? disks[at]! : [],
      ),
    );
  }

  /** `isNew`: every layer is formatted first. `mayLack`: what cannot be opened is left out. */
  async open(isNew: boolean, mayLack: boolean): Promise<Device> {
    try {
      const top = await this.#build(this.#plan.top, isNew, mayLack);
      this.device = await Device.open(top, this.environment);
      return this.device;
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      await this.device?.close();
    } finally {
      await this.#release();
    }
  }

  /** At one of the joints a layer is put in, or the one that was put in last is taken out. */
  async exchange(what: "insert" | "remove", place: number): Promise<void> {
    const joint = this.#joints[place % Math.max(1, this.#joints.length)];
    if (joint === undefined) return;
    const before = this.#before.get(joint) ?? [];
    this.#before.set(joint, before);
    if (what === "insert" ? before.length === INSERTED_MAX : before.length === 0) return;
    const old = joint.below;
    const next = what === "insert" ? this.#over(joint, before.length) : before.at(-1)!;
    try {
      await joint.quiesce((swap) => swap.over(next));
    } finally {
      // It may have failed afterwards.
      if (joint.below === next) {
        if (what === "insert") before.push(old);
        else before.pop();
      }
    }
  }

  /** A layer that passes all on, over what a joint stands on: with a joint of the same place between, so that both may claim that. */
  #over(joint: JointLayer, count: number): Layer {
    const { environment } = this;
    const lower = new JointLayer(joint.below, { environment, claimant: joint.claimant });
    return count === 0 ? new NoOpLayer(lower) : new AsyncNoOpLayer(lower);
  }

  async #release(): Promise<void> {
    const failures: unknown[] = [];
    // One that cannot be put in order all the same gives back what it stands on, and so do those below.
    for (const layer of this.#held.splice(0).reverse())
      await closeTree(layer).catch((error: unknown) => void failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  async #build(node: PlanNode, isNew: boolean, mayLack: boolean): Promise<Layer> {
    if (isDisk(node)) return this.#wrapped(this.#disk());
    const lowers: (NamedLayer | null)[] = [];
    const disks: number[][] = [];
    for (const [index, plan] of node.lowers.entries()) {
      const first = this.#diskIndex;
      lowers.push(await this.#lower(`n${index}`, plan, isNew, mayLack));
      disks.push(Array.from({ length: this.#diskIndex - first }, (_, at) => first + at));
    }
    const kind = this.#kinds.get(node.kind)!;
    const site: SimulationSite = {
      environment: this.environment,
      options: node.options,
      lowers,
      whole: () => lowers.map((lower) => lower ?? fail(`${node.kind} cannot do without one of its lowers`)),
    };
    if (isNew) await kind.format?.(site);
    const layer = await kind.open(site);
    this.places.push({ kind, plan: node, layer, lowers, disks });
    return this.#wrapped(layer);
  }

  async #lower(name: string, plan: PlanNode, isNew: boolean, mayLack: boolean): Promise<NamedLayer | null> {
    const diskIndex = this.#diskIndex;
    try {
      const layer = await this.#build(plan, isNew, mayLack);
      await openTree(layer);
      this.#held.push(layer);
      return { name, layer };
    } catch (error) {
      if (!mayLack) throw error;
      // The disks of it are counted all the same.
      this.#diskIndex = diskIndex + disksOf(plan).length;
      return null;
    }
  }

  #disk(): Layer {
    const { fault, plan } = this.#disks[this.#diskIndex++]!;
    const isAdapted = plan.adapted || plan.blockSize !== 512 || plan.ioLengthMax !== null;
    return isAdapted ? adapt(fault, this.environment, 512) : fault;
  }

  #wrapped(layer: Layer): Layer {
    let top = layer;
    const { checks } = this.#plan;
    if (checks !== "none") {
      const checking = new CheckingLayer(top, { isThorough: checks === "thorough" });
      this.checks.push(checking);
      top = checking;
    }
    if (this.#plan.hasJoints) {
      const joint = new JointLayer(top, { environment: this.environment });
      this.#joints.push(joint);
      top = joint;
    }
    return top;
  }
}

function fail(message: string): never {
  throw new Error(message);
}
