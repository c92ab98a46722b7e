import { isCevError } from "@cev/core";
import { Random, SimulatedWorld } from "@cev/test-kit";
import { openArray } from "../array.ts";
import type { OpenArray } from "../array.ts";
import { History } from "../work/history.ts";
import { makeImages, placesOfMember } from "../images/images.ts";
import { idle, membershipOf } from "../membership.ts";
import type { Membership } from "../membership.ts";
import { arraySizeOf } from "../reference.ts";
import { isRedundant } from "../shape.ts";
import type { Shape } from "../shape.ts";
import { CUT_KINDS, imagesAfterCut } from "./cut.ts";
import type { Cut } from "./cut.ts";
import { disksOf } from "./rig.ts";
import type { Disk } from "./rig.ts";
import { verifyCut } from "./verify.ts";
import type { Judge } from "./verify.ts";
import { Workload } from "../work/workload.ts";
import { drive } from "../work/world.ts";

/** How a run is made. */
export interface RunOptions {
  readonly shape: Shape;
  readonly seed: number;
  /** Which part of the possible cuts is judged. 1: one before every single change of a disk. */
  readonly share: number;
  /** Steps of the workload. Default 12. */
  readonly stepCount?: number;
}

/** What came of a run. */
export interface RunResult {
  readonly cutCount: number;
  readonly violations: readonly string[];
}

/** Runs a workload on a new array and lets the power go before the changes that it makes. */
export async function runCrashes(options: RunOptions): Promise<RunResult> {
  const run = new CrashRun(options);
  try {
    await run.run();
  } catch (error) {
    run.violations.push(`the workload ended with ${(error as Error).stack ?? String(error)}`);
  }
  return { cutCount: run.cutCount, violations: run.violations };
}

class CrashRun {
  readonly violations: string[] = [];
  readonly #options: RunOptions;
  readonly #world: SimulatedWorld;
  readonly #random: Random;
  readonly #judge: Judge;
  readonly #disks: readonly Disk[];
  readonly #history: History;
  readonly #now: History;
  readonly #pending: Cut[] = [];
  #lost = new Set<string>();
  #changeCount = 0;

  constructor(options: RunOptions) {
    const { seed, shape } = options;
    this.#options = options;
    this.#random = new Random(seed);
    this.#world = new SimulatedWorld({ seed: seed + 1 });
    this.#judge = {
      shape,
      world: new SimulatedWorld({ seed: seed + 2 }),
      random: new Random(seed + 3),
      depth: 1,
      cutCount: 0,
    };
    const content = this.#random.bytes(arraySizeOf(shape));
    this.#history = new History(content);
    this.#now = new History(content);
    const images = makeImages(shape, content);
    // A blank disk to rebuild on.
    if (isRedundant(shape)) images.push(new Uint8Array(placesOfMember(shape).size));
    this.#disks = disksOf(this.#world.environment, images);
    for (const { layer } of this.#disks) layer.onChange = () => this.#onChange();
  }

  get cutCount(): number {
    return this.#judge.cutCount;
  }

  async run(): Promise<void> {
    const { shape, stepCount = 12 } = this.#options;
    const random = this.#random;
    const { environment } = this.#world;
    const lentBefore = environment.buffers.bytesLent;
    const members = this.#disks.slice(0, shape.memberCount);
    const failAt = isRedundant(shape) && random.chance(0.6) ? random.below(stepCount) : -1;
    let array = await this.#drive(openArray(environment, random.shuffled(members)));
    let workload = this.#workloadOn(array);
    for (let step = 0; step < stepCount; step++) {
      if (step === failAt) this.#fail(random.pick(members));
      const what = random.below(20);
      if (what < 13) await this.#drive(workload.burst());
      else if (what < 17) await this.#drive(workload.rest());
      else if (what < 18) {
        await this.#drive(array.device.close());
        this.violations.push(...workload.violations);
        array = await this.#drive(openArray(environment, random.shuffled(members)));
        workload = this.#workloadOn(array);
      } else if (this.#lost.size > 0) {
        const membership = membershipOf(array.layer);
        if (membership !== null) await this.#drive(this.#replace(membership, workload));
      }
    }
    await this.#drive(workload.flush());
    await this.#drive(idle(array.layer));
    await this.#drive(array.device.close());
    this.#onChange();
    await this.#drive(Promise.resolve());
    this.violations.push(...workload.violations);
    if (environment.buffers.bytesLent !== lentBefore) this.violations.push("the workload kept buffers");
  }

  #workloadOn({ device }: OpenArray): Workload {
    return new Workload({
      world: this.#world,
      random: this.#random,
      device,
      durable: this.#history,
      now: this.#now,
    });
  }

  #fail(disk: Disk): void {
    this.#lost.add(disk.name);
    disk.fault.lose();
  }

  /** The lost disk comes back, or the blank one takes its place, while writes go on. */
  async #replace(membership: Membership, workload: Workload): Promise<void> {
    const [name] = this.#lost;
    const failed = this.#disks.find((disk) => disk.name === name)!;
    await workload.flush();
    await membership.removeMember(failed.name);
    const isBack = this.#random.chance(0.5);
    if (isBack) failed.fault.find();
    const disk = isBack ? failed : this.#disks.at(-1)!;
    if (isBack && this.#random.chance(0.7)) await this.#reAdd(membership, disk);
    else await membership.addMember(disk.layer, disk.name);
    await workload.burst();
    await membership.idle();
    this.#lost = new Set();
    if (!isBack) this.#lost.add(failed.name);
  }

  /** By the bitmap, where there is one that goes back far enough; else all of it is copied. */
  async #reAdd(membership: Membership, disk: Disk): Promise<void> {
    try {
      await membership.reAddMember(disk.layer, disk.name);
    } catch (error) {
      if (!isCevError(error) || error.code !== "CEV_INVALID") throw error;
      await membership.addMember(disk.layer, disk.name);
    }
  }

  #onChange(): void {
    const random = this.#random;
    const index = this.#changeCount++;
    if (!random.chance(this.#options.share)) return;
    const kind = random.pick(CUT_KINDS);
    const images = imagesAfterCut(this.#disks, kind, random);
    this.#pending.push({ index, kind, images, history: this.#history.copy(), lost: new Set(this.#lost) });
  }

  #drive<T>(promise: Promise<T>): Promise<T> {
    return drive(this.#world, promise, async () => {
      for (const cut of this.#pending.splice(0)) this.violations.push(...(await verifyCut(this.#judge, cut)));
    });
  }
}
