import { BufferPool } from "@cev/core";
import { SimulatedWorld } from "../simulated-world.ts";
import type { SimulationKind } from "./kind.ts";
import type { StackPlan } from "./plan.ts";
import { Rig, disksFrom } from "./rig.ts";
import type { SimulatedDisk } from "./rig.ts";
import { seedOf } from "./seed.ts";
import type { Trace } from "./seed.ts";

const TURNS_MAX = 50_000;
// Small: each run has its own, so that what one leaves behind is not what the next one finds.
const SLAB_LENGTH = 1024 * 1024;

/** The computer of a run: it lives from one power cut to the next. */
export class Machine {
  world!: SimulatedWorld;
  disks: readonly SimulatedDisk[] = [];
  rig!: Rig;
  /** How many lives it has begun. */
  lives = 0;
  readonly #plan: StackPlan;
  readonly #kinds: ReadonlyMap<string, SimulationKind>;
  readonly #seed: number;
  readonly #trace: Trace;
  // One for all lives of a run: kernels need not be compiled for each.
  readonly #buffers = new BufferPool({ slabLength: SLAB_LENGTH });
  #bytesGone = 0;
  #turnsBefore = 0;

  constructor(
    plan: StackPlan,
    kinds: ReadonlyMap<string, SimulationKind>,
    { seed, trace }: { readonly seed: number; readonly trace: Trace },
  ) {
    this.#plan = plan;
    this.#kinds = kinds;
    this.#seed = seed;
    this.#trace = trace;
  }

  /** Of all its lives. */
  get turnCount(): number {
    return this.#turnsBefore + this.world.turnCount;
  }

  /** Memory that was lent in this life and not given back. */
  get bytesLent(): number {
    return this.#buffers.bytesLent - this.#bytesGone;
  }

  /** The power comes back, with these disks; nothing is open yet. What was under way before never ends. */
  begin(images: readonly Uint8Array[]): void {
    if (this.lives > 0) this.#turnsBefore += this.world.turnCount;
    const seed = seedOf(this.#seed, "schedule", this.lives++);
    this.world = new SimulatedWorld({ seed, buffers: this.#buffers, order: this.#plan.order });
    // What a life that was cut off had borrowed never comes back.
    this.#bytesGone = this.#buffers.bytesLent;
    this.disks = disksFrom(this.world.environment, this.#plan, images);
    this.newRig();
  }

  /** A stack over the same disks, not yet open. */
  newRig(): void {
    this.rig = new Rig(this.world.environment, this.#plan, this.#kinds, this.disks);
  }

  /** Runs until something has ended. A hang is an error. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    try {
      return await this.world.drive(promise, TURNS_MAX);
    } finally {
      this.#trace.add(this.world.now);
    }
  }
}
