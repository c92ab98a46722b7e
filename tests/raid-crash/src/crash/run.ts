import { Op, isCevError } from "@cev/core";
import { Random, SimulatedWorld } from "@cev/test-kit";
import { openArray } from "../array.ts";
import type { OpenArray } from "../array.ts";
import { makeImages, placesOfMember } from "../images/images.ts";
import { arraySizeOf } from "../reference.ts";
import { isRedundant, isVolume, redundancyOf } from "../shape.ts";
import type { Shape } from "../shape.ts";
import { Workload } from "../work/workload.ts";
import { create, verifyCreation } from "./creation.ts";
import type { Cut } from "./cut.ts";
import type { Disk } from "./rig.ts";
import { Scene } from "./scene.ts";
import { verifyCut } from "./verify.ts";
import type { Judge } from "./verify.ts";

/** How a run is made. */
export interface RunOptions {
  readonly shape: Shape;
  readonly seed: number;
  /** Which part of the possible cuts is judged. 1: one before every single change of a disk. */
  readonly share: number;
  /** Steps of the workload. Default 14. */
  readonly stepCount?: number;
}

/** What came of a run. */
export interface RunResult {
  readonly cutCount: number;
  readonly violations: readonly string[];
}

/** Runs a workload on an array, new or well used, and lets the power go before the changes that it makes. */
export async function runCrashes(options: RunOptions): Promise<RunResult> {
  const run = new CrashRun(options);
  try {
    await run.run();
  } catch (error) {
    run.violations.push(`the workload ended with ${(error as Error).stack ?? String(error)}`);
  }
  return { cutCount: run.cutCount, violations: run.violations };
}

/** mdadm has no room for a bitmap on members this small, and takes all there is where there is no redundancy. */
function canBeMade(shape: Shape): boolean {
  if (isVolume(shape)) return false;
  const { level, version, bitmapChunkSize, memberSize, roomSize } = shape;
  const hasRoom = bitmapChunkSize === 0 || version === "0.90" || memberSize >= 65_536;
  return level > 0 && hasRoom && roomSize === 0;
}

class CrashRun {
  readonly violations: string[] = [];
  readonly #stepCount: number;
  readonly #random: Random;
  readonly #judge: Judge;
  readonly #scene: Scene;
  // Nobody has made the array yet: it is made in the run.
  #isNew: boolean;
  // The disk that is blank, as long as it is.
  #blank: Disk | null;
  #shape: Shape;
  #array!: OpenArray;
  #workload!: Workload;

  constructor({ seed, shape, share, stepCount = 14 }: RunOptions) {
    const random = new Random(seed);
    this.#random = random;
    this.#shape = shape;
    this.#stepCount = stepCount;
    this.#judge = {
      worlds: [new SimulatedWorld({ seed: seed + 2 }), new SimulatedWorld({ seed: seed + 4 })],
      random: new Random(seed + 3),
      cutCount: 0,
    };
    this.#isNew = canBeMade(shape) && random.chance(0.25);
    const content = random.bytes(arraySizeOf(shape));
    const images = makeImages(shape, content);
    if (this.#isNew) for (const image of images) random.fill(image);
    const hasBlank = isRedundant(shape) && !isVolume(shape);
    if (hasBlank) images.push(new Uint8Array(placesOfMember(shape).size));
    this.#scene = new Scene({
      shape,
      seed,
      share,
      images,
      content: this.#isNew ? null : content,
      onCut: async (cut) => void this.violations.push(...(await this.#judged(cut))),
    });
    this.#blank = hasBlank ? this.#scene.disks.at(-1)! : null;
  }

  get cutCount(): number {
    return this.#judge.cutCount;
  }

  async run(): Promise<void> {
    const scene = this.#scene;
    const { environment } = scene.world;
    const lentBefore = environment.buffers.bytesLent;
    if (this.#isNew) {
      await scene.drive(create(environment, this.#shape, scene.disks.slice(0, this.#shape.memberCount)));
      this.#isNew = false;
    }
    await this.#open();
    for (let step = 0; step < this.#stepCount; step++) await this.#step();
    await scene.drive(this.#workload.flush());
    await scene.drive(this.#array.layer.idle());
    await this.#close();
    scene.cut();
    await scene.drive(Promise.resolve());
    if (environment.buffers.bytesLent !== lentBefore) this.violations.push("the workload kept buffers");
  }

  async #step(): Promise<void> {
    const scene = this.#scene;
    const random = this.#random;
    const what = random.below(24);
    if (what < 12) return scene.drive(this.#workload.burst());
    if (what < 15) return scene.drive(this.#workload.rest());
    if (what === 15) return this.#reopen();
    if (what < 18) return this.#fail();
    if (what < 21) return this.#replace();
    if (what === 21) return this.#check();
    return this.#grow();
  }

  async #open(): Promise<void> {
    const { world, disks, durable, now } = this.#scene;
    // A blank disk is left out, and a lost one cannot be read.
    const offered = this.#random.shuffled(disks);
    this.#array = await this.#scene.drive(openArray(world.environment, offered, { shape: this.#shape }));
    const { device } = this.#array;
    this.#workload = new Workload({ world, random: this.#random, device, durable, now });
  }

  async #close(): Promise<void> {
    await this.#scene.drive(this.#array.device.close());
    this.violations.push(...this.#workload.violations);
  }

  async #reopen(): Promise<void> {
    await this.#close();
    await this.#open();
  }

  /** A member is lost, where it can be done without. */
  async #fail(): Promise<void> {
    const scene = this.#scene;
    if (scene.isDegraded && redundancyOf(this.#shape) <= scene.outs.size) return;
    if (!isRedundant(this.#shape)) return;
    // What is not in order yet cannot be had from the others.
    await scene.drive(this.#array.layer.idle());
    const { members } = this.#array.layer.array;
    const candidates = members.filter((one) => one.isInSync && this.#array.layer.array.canLose(one));
    if (candidates.length === 0) return;
    const disk = this.#diskOf(this.#random.pick(candidates).name);
    scene.outs = new Set([...scene.outs, disk.name]);
    scene.isDegraded = true;
    const how = this.#random.below(4);
    // It is gone; or it takes nothing any more, or makes nothing durable, which shows only when that is asked for.
    if (how < 2) disk.fault.lose();
    else disk.fault.add({ op: how === 2 ? Op.write : Op.flush, fault: { kind: "error", code: "CEV_IO" } });
  }

  /** A lost disk comes back, or a blank one takes its place, while writes go on. */
  async #replace(): Promise<void> {
    const scene = this.#scene;
    const [name] = scene.outs;
    if (!scene.isDegraded || name === undefined) return;
    const lost = this.#diskOf(name);
    if (isVolume(this.#shape)) return this.#takeBack(lost);
    const isBack = this.#blank === null || this.#random.chance(0.6);
    const disk = isBack ? lost : this.#blank!;
    await scene.drive(this.#takeOut(lost));
    if (isBack) lost.fault.reset();
    else this.#blank = null;
    await scene.drive(isBack && this.#random.chance(0.7) ? this.#reAdd(disk) : this.#add(disk));
    await scene.drive(this.#workload.burst());
    await scene.drive(this.#array.layer.idle());
    this.#replaced(disk.name);
  }

  #replaced(name: string): void {
    const scene = this.#scene;
    const { members } = this.#array.layer.array;
    scene.outs = new Set([...scene.outs].filter((out) => out !== name));
    // A member may be out of order without the array having noticed: what it holds does not count.
    scene.isDegraded = members.some(({ isInSync, name: member }) => !isInSync || scene.outs.has(member));
  }

  /** A volume takes back what it finds when it is opened. */
  async #takeBack(lost: Disk): Promise<void> {
    const scene = this.#scene;
    await this.#close();
    lost.fault.reset();
    await this.#open();
    await scene.drive(this.#workload.burst());
    await scene.drive(this.#array.layer.idle());
    this.#replaced(lost.name);
  }

  /** The array may not have noticed that it is gone; after it was opened anew it does not know the disk. */
  async #takeOut({ name }: Disk): Promise<void> {
    const { layer } = this.#array;
    const { members, spares, faulty } = layer.array;
    const isMember = members.some((member) => member.name === name);
    if (isMember) await layer.failMember(name);
    if (isMember || [...spares, ...faulty].some((device) => device.name === name))
      await layer.removeMember(name);
  }

  async #add({ layer, name }: Disk): Promise<void> {
    await this.#array.layer.addMember(layer, name);
  }

  /** By the bitmap, where there is one that goes back far enough; else all of it is copied. */
  async #reAdd(disk: Disk): Promise<void> {
    try {
      await this.#array.layer.reAddMember(disk.layer, disk.name);
    } catch (error) {
      if (!isCevError(error) || error.code !== "CEV_INVALID") throw error;
      await this.#add(disk);
    }
  }

  async #check(): Promise<void> {
    const scene = this.#scene;
    if (!isRedundant(this.#shape) || scene.isDegraded) return;
    await scene.drive(this.#array.layer.idle());
    const mismatched = await scene.drive(this.#array.layer.check());
    if (mismatched !== 0) this.violations.push(`a check finds ${mismatched} bytes that do not match`);
  }

  /** Each member gives more; once the array is opened anew it is larger. */
  async #grow(): Promise<void> {
    const scene = this.#scene;
    const { roomSize, memberSize } = this.#shape;
    if (roomSize === 0 || scene.isDegraded) return;
    const grown = { ...this.#shape, memberSize: memberSize + roomSize, roomSize: 0 };
    scene.shapes = [grown, this.#shape];
    for (const history of [scene.durable, scene.now]) history.grew(arraySizeOf(grown));
    await scene.drive(this.#array.layer.growSize(grown.memberSize));
    scene.shapes = [grown];
    this.#shape = grown;
    if (this.#random.chance(0.5)) await scene.drive(this.#workload.burst());
    await this.#reopen();
  }

  #diskOf(name: string): Disk {
    return this.#scene.disks.find((disk) => disk.name === name)!;
  }

  #judged(cut: Cut): Promise<string[]> {
    if (!this.#isNew) return verifyCut(this.#judge, cut);
    this.#judge.cutCount++;
    return verifyCreation(this.#judge.worlds[0]!, cut);
  }
}
