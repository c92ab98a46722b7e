import { BufferPool, isCevError } from "@cev/core";
import { Random } from "../random.ts";
import { SimulatedWorld } from "../simulated-world.ts";
import { imagesAfter } from "./images-after.ts";
import type { SimulationKind } from "./kind.ts";
import { LossRule } from "./loss-rule.ts";
import { disksOf, layersOf } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import type { SimulationResult } from "./result.ts";
import { Rig, disksFrom } from "./rig.ts";
import type { SimulatedDisk } from "./rig.ts";
import type { Step } from "./script.ts";
import { SectorModel } from "./sector-model.ts";
import { Trace, seedOf } from "./seed.ts";
import { wordsOf, workOff } from "./work.ts";

const TURNS_MAX = 50_000;
const SLAB_LENGTH = 4 * 1024 * 1024;
const SECTOR = 512;
const READ_LENGTH = 65_536;

/** One run: a stack, what happens to it, and the seed of all that is random about it. */
export function simulate(
  plan: StackPlan,
  script: readonly Step[],
  seed: number,
  kinds: readonly SimulationKind[],
): Promise<SimulationResult> {
  return new Run(plan, script, seed, new Map(kinds.map((kind) => [kind.name, kind]))).run();
}

/** The run cannot go on, and nothing is wrong with that. */
class Excused extends Error {}

class Run {
  readonly #plan: StackPlan;
  readonly #script: readonly Step[];
  readonly #seed: number;
  readonly #kinds: ReadonlyMap<string, SimulationKind>;
  readonly #trace = new Trace();
  readonly #findings: string[] = [];
  readonly #refusesDegraded: boolean;
  readonly #mayOverflow: boolean;
  readonly #forgets: boolean;
  /** What was read after a cut may be relied on: no disk ever leaves. */
  readonly #isComplete: boolean;
  // One for all lives of a run: kernels need not be compiled for each.
  readonly #buffers = new BufferPool({ slabLength: SLAB_LENGTH });
  #bytesGone = 0;
  #lives = 0;
  #world!: SimulatedWorld;
  #disks: readonly SimulatedDisk[] = [];
  #rig!: Rig;
  #durable: SectorModel;
  #now: SectorModel;
  /** Disks that are away, and disks that are there again and out of date. */
  readonly #lost = new Set<number>();
  readonly #stale = new Set<number>();
  readonly #losses: LossRule;
  #mayFail = false;
  #step: Step | null = null;
  #foundAt = -1;
  #stepCount = 0;
  #cutCount = 0;
  #excusedCount = 0;
  #turnCount = 0;

  constructor(
    plan: StackPlan,
    script: readonly Step[],
    seed: number,
    kinds: ReadonlyMap<string, SimulationKind>,
  ) {
    this.#plan = plan;
    this.#script = script;
    this.#seed = seed;
    this.#kinds = kinds;
    this.#losses = new LossRule(plan.top, kinds);
    const traits = layersOf(plan.top).map(({ kind, options }) => kinds.get(kind)!.traits(options));
    this.#refusesDegraded = traits.some((one) => one.refusesDegraded === true);
    this.#mayOverflow = traits.some((one) => one.mayOverflow === true);
    this.#forgets = traits.some((one) => one.forgets === true);
    this.#isComplete = !script.some(
      (step) => step.do === "lose" || step.do === "fail" || (step.do === "cut" && step.missing >= 0),
    );
    const sectorCount = Math.floor(plan.top.size / SECTOR);
    this.#durable = new SectorModel(sectorCount);
    this.#now = new SectorModel(sectorCount);
  }

  async run(): Promise<SimulationResult> {
    try {
      await this.#begin();
      for (const step of this.#script) {
        this.#step = step;
        this.#trace.add(step.index);
        await this.#do(step);
        if (this.#findings.length > 0) break;
      }
      if (this.#findings.length === 0) await this.#end();
    } catch (error) {
      if (!(error instanceof Excused)) this.#found(error instanceof Error ? error.message : String(error));
    }
    return {
      findings: this.#findings,
      stepIndex: this.#foundAt,
      stepCount: this.#stepCount,
      cutCount: this.#cutCount,
      excusedCount: this.#excusedCount,
      turnCount: this.#turnCount,
      trace: this.#trace.hash,
    };
  }

  async #begin(): Promise<void> {
    const random = new Random(seedOf(this.#seed, "contents"));
    const isBlank = random.chance(0.5);
    const images = disksOf(this.#plan.top).map(({ size }) =>
      isBlank ? new Uint8Array(size) : random.bytes(size),
    );
    this.#live(images);
    await this.#drive(this.#rig.open(true, false));
    const words = await this.#readAll();
    this.#now.learn(words);
    // What it shows at first may not be durable, and need not even be written.
    await this.#drive(this.#rig.device!.flush());
    // Until then the copies that a new array has of what nobody wrote differ.
    await this.#settle();
    this.#durable.learn(words);
  }

  /** A new life over these disks; nothing is open yet. */
  #live(images: readonly Uint8Array[]): void {
    const seed = seedOf(this.#seed, "schedule", this.#lives++);
    this.#world = new SimulatedWorld({ seed, buffers: this.#buffers });
    // What a life that was cut off had borrowed never comes back.
    this.#bytesGone = this.#buffers.bytesLent;
    this.#disks = disksFrom(this.#world.environment, this.#plan, images);
    for (const disk of this.#lost) this.#disks[disk]!.fault.lose();
    this.#newRig();
  }

  #newRig(): void {
    this.#rig = new Rig(this.#world.environment, this.#plan, this.#kinds, this.#disks);
  }

  async #do(step: Step): Promise<void> {
    this.#stepCount++;
    switch (step.do) {
      case "batch":
        this.#stepCount += (await this.#drive(this.#work(step.requests))) - 1;
        return;
      case "wait":
        return this.#drive(
          new Promise((resolve) => void this.#world.environment.clock.after(step.ms, resolve)),
        );
      case "reopen":
        return this.#reopen();
      case "cut":
        return this.#cut(step);
      case "lose":
        return this.#lose(step.disk);
      case "mend":
        return this.#mend(step.disk);
      case "badSpot":
        this.#mayFail = true;
        return this.#disks[step.disk]!.fault.addBadRange(step.sector * SECTOR, step.count * SECTOR);
      case "fail":
        this.#mayFail = true;
        return this.#disks[step.disk]!.fault.failNth(step.skip + 1);
      case "swap":
        return this.#swap(step.place);
    }
  }

  #work(requests: Parameters<typeof workOff>[1]): Promise<number> {
    const life = this.#lives;
    return workOff(
      {
        environment: this.#world.environment,
        device: this.#rig.device!,
        durable: this.#durable,
        now: this.#now,
        trace: this.#trace,
        judge: (what, error, isCancelled) => {
          if (life === this.#lives) this.#judge(what, error, isCancelled);
        },
        found: (finding) => this.#found(finding),
      },
      requests,
      seedOf(this.#seed, "step", this.#step!.index),
    );
  }

  async #reopen(): Promise<void> {
    await this.#close();
    await this.#open(this.#now);
  }

  /** Opens, and compares all of it with what it may hold. */
  async #open(model: SectorModel): Promise<void> {
    this.#newRig();
    // A disk that cannot be read just now would be taken for one that is gone: what fails once fails in the work.
    for (const [index, { fault }] of this.#disks.entries()) {
      fault.reset();
      if (this.#lost.has(index)) fault.lose();
    }
    try {
      await this.#drive(this.#rig.open(false, this.#hasLosses || this.#mayFail));
    } catch (error) {
      throw this.#excusable(`it does not open: ${textOf(error)}`);
    }
    // What may be wrong is shown, and never written.
    if (this.#rig.device!.isReadOnly) throw this.#excusable("it opens read-only");
    // Where a part is left out that knew better, one that is out of date may have opened alone: as whoever lets it must expect.
    if (this.#mayFail && this.#rig.lacksLowers) throw this.#excusable("a part of it cannot be used");
    const words = await this.#readAll();
    const wrong = model.firstWrong(words);
    if (wrong >= 0)
      return this.#found(
        model === this.#now
          ? `after it was closed and opened, byte ${wrong * SECTOR} is not what was written last`
          : `byte ${wrong * SECTOR} holds neither what was flushed nor anything later`,
      );
    this.#now.learn(words);
    if (model === this.#durable && this.#isComplete) this.#durable.learn(words);
  }

  /** After a failure, or where one may refuse with disks missing: the run ends. */
  #excusable(what: string): Error {
    const isExcused = this.#mayFail || (this.#hasLosses && this.#refusesDegraded);
    if (!isExcused) return new Error(what);
    this.#excusedCount++;
    return new Excused();
  }

  async #readAll(): Promise<Uint32Array> {
    const bytes = new Uint8Array(this.#now.sectorCount * SECTOR);
    for (let at = 0; at < bytes.length; at += READ_LENGTH) {
      const length = Math.min(READ_LENGTH, bytes.length - at);
      try {
        bytes.set(await this.#drive(this.#rig.device!.read(at, length)), at);
      } catch (error) {
        this.#judge(`a read of ${length} at byte ${at}`, error as Error, false);
        throw new Excused();
      }
    }
    const words = wordsOf(bytes);
    for (let at = 0; at < words.length; at += SECTOR / 4) this.#trace.add(words[at]!);
    return words;
  }

  async #close(): Promise<void> {
    const rig = this.#rig;
    try {
      await this.#drive(rig.close());
    } catch (error) {
      this.#judge("closing", error as Error, false);
    }
    for (const check of rig.checks)
      for (const violation of check.violations) this.#found(`the contract was broken: ${violation}`);
    if (this.#hasLosses || this.#mayFail) return;
    const bytesLent = this.#buffers.bytesLent - this.#bytesGone;
    if (bytesLent > 0 && !this.#forgets) this.#found(`${bytesLent} bytes of memory were not given back`);
    const claimed = this.#disks.filter(({ fault }) => fault.claims.count > 0).length;
    if (claimed > 0) this.#found(`${claimed} disks are still claimed after closing`);
  }

  async #cut(step: Step & { readonly do: "cut" }): Promise<void> {
    this.#cutCount++;
    const random = new Random(seedOf(this.#seed, "cut", step.index));
    void this.#work(step.requests).catch(() => undefined);
    this.#stepCount += step.requests.length;
    this.#turnCount += await this.#world.turns(step.turns);
    this.#durable.cut();
    if (step.isBack) {
      for (const disk of this.#lost) this.#stale.add(disk);
      this.#lost.clear();
    }
    if (step.missing >= 0 && this.#canLose(step.missing)) this.#lost.add(step.missing);
    this.#live(imagesAfter(this.#disks, step.policy, random));
    for (const turns of step.again) {
      this.#cutCount++;
      this.#rig.open(false, this.#hasLosses).catch(() => undefined);
      this.#turnCount += await this.#world.turns(turns);
      this.#live(imagesAfter(this.#disks, "sectors", random));
    }
    await this.#open(this.#durable);
  }

  get #hasLosses(): boolean {
    return this.#lost.size > 0 || this.#stale.size > 0;
  }

  /** Where steps were left out it may be one too many. */
  #canLose(disk: number): boolean {
    return this.#losses.allows([...this.#lost, ...this.#stale, disk]);
  }

  async #lose(disk: number): Promise<void> {
    if (!this.#canLose(disk)) return;
    await this.#settle();
    this.#lost.add(disk);
    this.#disks[disk]!.fault.lose();
  }

  async #mend(disk: number): Promise<void> {
    const isStale = this.#stale.delete(disk);
    if (!this.#lost.delete(disk) && !isStale) return;
    this.#disks[disk]!.fault.find();
    await this.#reopen();
    for (const { kind, layer, lowers } of this.#rig.places)
      await this.#chore(
        `${kind.name} takes back what was lost`,
        kind.mend?.(
          layer,
          lowers.filter((lower) => lower !== null),
          this.#world.environment,
        ),
      );
    await this.#settle();
    const wrong = this.#now.firstWrong(await this.#readAll());
    if (wrong >= 0)
      this.#found(`after a disk was taken back, byte ${wrong * SECTOR} is not what was written last`);
  }

  async #settle(): Promise<void> {
    for (const { kind, layer } of this.#rig.places)
      await this.#chore(`${kind.name} settles`, kind.settle?.(layer));
  }

  async #chore(what: string, work: Promise<void> | undefined): Promise<void> {
    try {
      await this.#drive(work ?? Promise.resolve());
    } catch (error) {
      // An array below that refuses to be written, degraded and cut short as it is, makes no lower to work with.
      if (isCevError(error) && error.code !== "CEV_PROGRAM" && this.#refusesDegraded && !this.#isComplete)
        this.#excusedCount++;
      else this.#judge(what, error as Error, false);
      throw new Excused();
    }
  }

  async #swap(place: number): Promise<void> {
    try {
      await this.#drive(this.#rig.swap(place));
    } catch (error) {
      // It flushes what it stands on, which may be what was lost.
      if (this.#lost.size > 0 && isCevError(error)) this.#excusedCount++;
      else this.#judge("exchanging a layer", error as Error, false);
    }
  }

  /** Nothing is left over, and every layer is in order. */
  async #end(): Promise<void> {
    if (this.#hasLosses || this.#mayFail || this.#rig.device === null) return;
    await this.#drive(this.#rig.device.flush());
    await this.#settle();
    for (const { kind, layer } of this.#rig.places)
      for (const finding of await this.#drive(kind.verify?.(layer) ?? Promise.resolve([])))
        this.#found(`${kind.name}: ${finding}`);
    await this.#close();
  }

  async #drive<T>(promise: Promise<T>): Promise<T> {
    try {
      return await this.#world.drive(promise, TURNS_MAX);
    } finally {
      this.#trace.add(this.#world.now);
    }
  }

  #judge(what: string, error: Error, isCancelled: boolean): void {
    const code = isCevError(error) ? error.code : null;
    if (code !== null && code !== "CEV_PROGRAM") {
      if (isCancelled && code === "CEV_CANCELLED") return;
      if (this.#mayFail || (this.#mayOverflow && code === "CEV_NO_SPACE")) {
        this.#excusedCount++;
        return;
      }
    }
    this.#found(`${what} failed: ${textOf(error)}`);
  }

  #found(finding: string): void {
    if (this.#findings.length === 0) this.#foundAt = this.#step?.index ?? -1;
    this.#findings.push(finding);
  }
}

function textOf(error: unknown): string {
  return isCevError(error) ? `${error.code} ${error.message}` : String(error);
}
