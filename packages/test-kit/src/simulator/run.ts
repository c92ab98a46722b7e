import { isCevError, readBytes, writeBytes } from "@cev/core";
import type { FaultLayer } from "../layers/fault-layer.ts";
import { Random } from "../random.ts";
import { Absences } from "./absences.ts";
import { imagesAfter } from "./images-after.ts";
import { Excused, Judge, textOf } from "./judge.ts";
import type { Excuses } from "./judge.ts";
import type { SimulationKind } from "./kind.ts";
import { Machine } from "./machine.ts";
import { disksOf, layersOf } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import type { SimulationResult } from "./result.ts";
import { SectorModel } from "./sector-model.ts";
import { Trace, seedOf } from "./seed.ts";
import type { CutStep, Load, PlannedRequest, Step } from "./step.ts";
import { Upkeep } from "./upkeep.ts";
import { wordsOf, workOff } from "./work.ts";

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

class Run {
  readonly #plan: StackPlan;
  readonly #script: readonly Step[];
  readonly #seed: number;
  readonly #trace = new Trace();
  readonly #judge = new Judge();
  readonly #machine: Machine;
  readonly #refusesDegraded: boolean;
  readonly #mayOverflow: boolean;
  readonly #forgets: boolean;
  /** What was read after a cut may be relied on: nothing ever leaves the stack or fails. */
  readonly #isComplete: boolean;
  readonly #diskCount: number;
  #durable: SectorModel;
  #now: SectorModel;
  readonly #absences: Absences;
  readonly #upkeep: Upkeep;
  #mayFail = false;
  /** The power went during a chore, and what that had begun has not been put in order. */
  #isUnfinished = false;
  #stepCount = 0;
  #requestCount = 0;
  #cutCount = 0;

  constructor(
    plan: StackPlan,
    script: readonly Step[],
    seed: number,
    kinds: ReadonlyMap<string, SimulationKind>,
  ) {
    this.#plan = plan;
    this.#script = script;
    this.#seed = seed;
    this.#machine = new Machine(plan, kinds, { seed, trace: this.#trace });
    this.#absences = new Absences(plan.top, kinds);
    const traits = layersOf(plan.top).map(({ kind, options }) => kinds.get(kind)!.traits(options));
    this.#refusesDegraded = traits.some((one) => one.refusesDegraded === true);
    this.#mayOverflow = traits.some((one) => one.mayOverflow === true);
    this.#forgets = traits.some((one) => one.forgets === true);
    this.#isComplete = !script.some(isDamaging);
    this.#upkeep = new Upkeep({
      machine: this.#machine,
      judge: this.#judge,
      seed,
      excuses: () => this.#excuses,
      mayRefuse: this.#refusesDegraded && !this.#isComplete,
    });
    this.#diskCount = disksOf(plan.top).length;
    const sectorCount = Math.floor(plan.top.size / SECTOR);
    this.#durable = new SectorModel(sectorCount);
    this.#now = new SectorModel(sectorCount);
  }

  async run(): Promise<SimulationResult> {
    const judge = this.#judge;
    try {
      await this.#begin();
      for (const step of this.#script) {
        judge.stepIndex = step.index;
        this.#trace.add(step.index);
        await this.#do(step);
        if (judge.findings.length > 0) break;
      }
      if (judge.findings.length === 0) await this.#end();
    } catch (error) {
      judge.ended(error);
    }
    return {
      findings: judge.findings,
      stepIndex: judge.foundAt,
      stepCount: this.#stepCount,
      requestCount: this.#requestCount,
      cutCount: this.#cutCount,
      excusedCount: judge.excusedCount,
      turnCount: this.#machine.turnCount,
      trace: this.#trace.hash,
    };
  }

  async #begin(): Promise<void> {
    const random = new Random(seedOf(this.#seed, "contents"));
    const isBlank = random.chance(0.5);
    const images = disksOf(this.#plan.top).map(({ size }) =>
      isBlank ? new Uint8Array(size) : random.bytes(size),
    );
    this.#machine.begin(images);
    await this.#drive(this.#machine.rig.open(true, false));
    const words = await this.#readAll();
    this.#now.learn(words);
    // What it shows at first may not be durable, and need not even be written.
    await this.#drive(this.#machine.rig.device!.flush());
    // Until then the copies that a new array has of what nobody wrote differ.
    await this.#upkeep.settle();
    this.#durable.learn(words);
  }

  async #do(step: Step): Promise<void> {
    this.#stepCount++;
    switch (step.do) {
      case "batch":
        // Each of them is a step.
        this.#stepCount--;
        await this.#drive(this.#work(step.requests, step.index));
        return;
      case "wait":
        return this.#drive(
          new Promise((resolve) => void this.#machine.world.environment.clock.after(step.ms, resolve)),
        );
      case "reopen":
        return this.#reopen();
      case "cut":
        return this.#cut(step);
      case "lose":
        return this.#lose(step);
      case "mend":
        return this.#mend(step.disk % this.#diskCount);
      case "badSpot":
        return this.#spoil(step, (disk) =>
          this.#faultOf(disk).addBadRange(step.sector * SECTOR, step.count * SECTOR),
        );
      case "fail":
        return this.#spoil(step, (disk) => this.#faultOf(disk).failNth(step.skip + 1));
      case "rot":
        return this.#rot(step);
      case "insert":
      case "remove":
        return this.#exchange(step);
      case "chore":
        return this.#choreStep(step);
    }
  }

  /** Requests of a step; those that a smaller stack has no room for are left out. */
  async #work(requests: readonly PlannedRequest[], stepIndex: number): Promise<void> {
    const life = this.#machine.lives;
    const { overlaps, atOnceMax } = this.#plan;
    const fitting = requests.filter(({ sector, count }) => sector + count <= this.#now.sectorCount);
    this.#stepCount += fitting.length;
    this.#requestCount += fitting.length;
    await workOff(
      {
        environment: this.#machine.world.environment,
        device: this.#machine.rig.device!,
        durable: this.#durable,
        now: this.#now,
        trace: this.#trace,
        overlaps,
        atOnceMax,
        judge: (what, error, isCancelled) => {
          if (life === this.#machine.lives) this.#judge.error(what, error, this.#excuses, isCancelled);
        },
        found: (finding) => this.#judge.found(finding),
      },
      fitting,
      seedOf(this.#seed, "step", stepIndex),
    );
  }

  /** Does something while requests are under way. */
  async #meanwhile(step: Load & Step, act: () => Promise<void>): Promise<void> {
    const work = this.#work(step.requests, step.index);
    await this.#machine.world.turns(step.turns);
    await act();
    await this.#drive(work);
  }

  async #reopen(): Promise<void> {
    await this.#close();
    await this.#open(this.#now);
  }

  /** Opens, and compares all of it with what it may hold. */
  async #open(model: SectorModel): Promise<void> {
    const machine = this.#machine;
    machine.newRig();
    // A disk that cannot be read just now would be taken for one that is gone: what fails once fails in the work.
    for (const [index, { fault }] of machine.disks.entries()) {
      fault.reset();
      if (this.#absences.isLost(index)) fault.lose();
    }
    try {
      await this.#drive(machine.rig.open(false, this.#absences.hasAny || this.#mayFail));
    } catch (error) {
      throw this.#excusable(`it does not open: ${textOf(error)}`);
    }
    // What may be wrong is shown, and never written.
    if (machine.rig.device!.isReadOnly) throw this.#excusable("it opens read-only");
    // Where a part is left out that knew better, one that is out of date may have opened alone: as whoever lets it must expect.
    const lacked = machine.rig.lackedDisks;
    this.#absences.opened(lacked);
    if (this.#mayFail && lacked.length > 0) throw this.#excusable("a part of it cannot be used");
    const words = await this.#readAll();
    const wrong = model.firstWrong(words);
    if (wrong >= 0)
      return this.#judge.found(
        model === this.#now
          ? `after it was closed and opened, byte ${wrong * SECTOR} is not what was written last`
          : `byte ${wrong * SECTOR} holds neither what was flushed nor anything later`,
      );
    this.#now.learn(words);
    if (model === this.#durable && this.#isComplete) this.#durable.learn(words);
  }

  /** After a failure, or where one may refuse with disks missing: the run ends. */
  #excusable(what: string): Error {
    const isExcused =
      this.#mayFail || ((this.#absences.hasAny || this.#isUnfinished) && this.#refusesDegraded);
    if (!isExcused) return new Error(what);
    this.#judge.excusedCount++;
    return new Excused();
  }

  async #readAll(): Promise<Uint32Array> {
    const bytes = new Uint8Array(this.#now.sectorCount * SECTOR);
    for (let at = 0; at < bytes.length; at += READ_LENGTH) {
      const part = bytes.subarray(at, at + READ_LENGTH);
      try {
        await this.#drive(this.#machine.rig.device!.readInto(at, part));
      } catch (error) {
        // Metadata may still be there where the data is not: then it shows only now what there is no more.
        if (isCevError(error) && error.code === "CEV_DEGRADED") throw this.#excusable(textOf(error));
        this.#judge.error(`a read of ${part.length} at byte ${at}`, error, this.#excuses);
        throw new Excused();
      }
    }
    const words = wordsOf(bytes);
    for (let at = 0; at < words.length; at += SECTOR / 4) this.#trace.add(words[at]!);
    return words;
  }

  /** Compares what is read with what was written last. */
  async #compare(when: string): Promise<void> {
    const wrong = this.#now.firstWrong(await this.#readAll());
    if (wrong >= 0) this.#judge.found(`after ${when}, byte ${wrong * SECTOR} is not what was written last`);
  }

  async #close(): Promise<void> {
    const { rig, disks } = this.#machine;
    try {
      await this.#drive(rig.close());
    } catch (error) {
      // Of what was lost something may be left to write.
      this.#judge.error("closing", error, {
        ...this.#excuses,
        mayFail: this.#mayFail || this.#absences.hasAny,
      });
    }
    for (const check of rig.checks)
      for (const violation of check.violations) this.#judge.found(`the contract was broken: ${violation}`);
    if (this.#absences.hasAny || this.#mayFail) return;
    const { bytesLent } = this.#machine;
    if (bytesLent > 0 && !this.#forgets)
      this.#judge.found(`${bytesLent} bytes of memory were not given back`);
    const claimed = disks.filter(({ fault }) => fault.claims.count > 0).length;
    if (claimed > 0) this.#judge.found(`${claimed} disks are still claimed after closing`);
  }

  async #cut(step: CutStep & Step): Promise<void> {
    const machine = this.#machine;
    const absences = this.#absences;
    const policy = this.#plan.policy ?? step.policy;
    const random = new Random(seedOf(this.#seed, "cut", step.index));
    this.#cutCount++;
    const losing = step.losing === null ? -1 : step.losing.disk % this.#diskCount;
    const isLosing = losing >= 0 && absences.canLose(losing);
    if (isLosing) await this.#upkeep.settle();
    void this.#work(step.requests, step.index).catch(() => undefined);
    if (step.chore !== null && this.#isWhole) {
      this.#isUnfinished = true;
      void this.#upkeep.chore(step.chore, step.index).catch(() => undefined);
    }
    if (isLosing) {
      await machine.world.turns(step.losing!.turns);
      absences.lose(losing);
      this.#faultOf(losing).lose();
    }
    await machine.world.turns(step.turns);
    this.#durable.cut();
    if (step.isBack) absences.returnAll();
    if (isLosing && step.losing!.isBack) absences.return(losing);
    const missing = step.missing % this.#diskCount;
    if (missing >= 0 && !this.#isUnfinished && absences.canLose(missing)) absences.lose(missing);
    this.#newLife(imagesAfter(machine.disks, policy, random));
    for (const turns of step.again) {
      this.#cutCount++;
      machine.rig.open(false, absences.hasAny).catch(() => undefined);
      await machine.world.turns(turns);
      this.#newLife(imagesAfter(machine.disks, this.#plan.policy ?? "sectors", random));
    }
    await this.#open(this.#durable);
    if (this.#isUnfinished && this.#judge.findings.length === 0)
      await this.#takeBack("a chore was cut short");
  }

  #newLife(images: readonly Uint8Array[]): void {
    this.#machine.begin(images);
    for (const disk of this.#absences.lost) this.#faultOf(disk).lose();
  }

  get #isWhole(): boolean {
    return !this.#absences.hasAny && !this.#mayFail && !this.#isUnfinished;
  }

  get #excuses(): Excuses {
    return { mayFail: this.#mayFail, mayOverflow: this.#mayOverflow };
  }

  #faultOf(disk: number): FaultLayer {
    return this.#machine.disks[disk]!.fault;
  }

  async #lose(step: Load & Step & { readonly do: "lose" }): Promise<void> {
    const disk = step.disk % this.#diskCount;
    if (!this.#absences.canLose(disk)) return;
    await this.#upkeep.settle();
    await this.#meanwhile(step, async () => {
      this.#absences.lose(disk);
      this.#faultOf(disk).lose();
    });
  }

  /** A disk that fails for once, or in places. Where something makes up for that, it counts as one that may be out of date. */
  async #spoil(
    step: Step & { readonly do: "badSpot" | "fail" },
    spoil: (disk: number) => void,
  ): Promise<void> {
    const disk = step.disk % this.#diskCount;
    if (step.isCovered && !this.#absences.canLose(disk)) return;
    // Copies that differ since a power cut: which one is read changes where the first cannot be.
    await this.#upkeep.settle();
    if (step.isCovered) this.#absences.return(disk);
    else this.#mayFail = true;
    spoil(disk);
  }

  /** A bit changes on the medium. */
  async #rot(step: Step & { readonly do: "rot" }): Promise<void> {
    const disk = this.#machine.disks[step.disk % this.#diskCount]!;
    const { environment } = this.#machine.world;
    const { blockSize, size } = disk.plan;
    const byte = step.byte % size;
    const offset = byte - (byte % blockSize);
    this.#mayFail = true;
    const block = (await this.#drive(readBytes(disk.platter, environment, offset, blockSize))).slice();
    block[byte - offset]! ^= 1 << step.bit;
    await this.#drive(writeBytes(disk.platter, environment, offset, block, disk.plan.fua));
  }

  async #mend(disk: number): Promise<void> {
    const absences = this.#absences;
    if (absences.isInOrder(disk)) return;
    absences.return(disk);
    this.#faultOf(disk).find();
    await this.#reopen();
    if (this.#judge.findings.length > 0) return;
    await this.#takeBack("a disk was taken back");
    absences.tookBack(disk);
  }

  /** Everything that is there becomes part of the stack again. */
  async #takeBack(when: string): Promise<void> {
    await this.#upkeep.mend();
    this.#isUnfinished = false;
    await this.#compare(when);
  }

  async #choreStep(step: Load & Step & { readonly do: "chore" }): Promise<void> {
    if (!this.#isWhole) return;
    await this.#meanwhile(step, async () => {
      const { name, kind } = step.chore;
      try {
        for (const finding of await this.#drive(this.#upkeep.chore(step.chore, step.index)))
          this.#judge.found(finding);
      } catch (error) {
        this.#judge.error(`${kind}: ${name}`, error, this.#excuses);
      }
    });
    await this.#upkeep.settle();
    await this.#compare(`${step.chore.kind}: ${step.chore.name}`);
  }

  async #exchange(step: Load & Step & { readonly do: "insert" | "remove" }): Promise<void> {
    await this.#meanwhile(step, async () => {
      try {
        await this.#drive(this.#machine.rig.exchange(step.do, step.place));
      } catch (error) {
        // It flushes what it stands on, which may be what was lost.
        if (this.#absences.hasAny && isCevError(error)) this.#judge.excusedCount++;
        else this.#judge.error("exchanging a layer", error, this.#excuses);
      }
    });
  }

  /** Nothing is left over, and every layer is in order. */
  async #end(): Promise<void> {
    const { rig } = this.#machine;
    if (!this.#isWhole || rig.device === null) return;
    await this.#drive(rig.device.flush());
    await this.#upkeep.settle();
    for (const finding of await this.#upkeep.verify()) this.#judge.found(finding);
    await this.#close();
  }

  #drive<T>(promise: Promise<T>): Promise<T> {
    return this.#machine.drive(promise);
  }
}

/** After it, what one part of the stack holds may not be what another one gives. */
function isDamaging(step: Step): boolean {
  if (step.do === "cut") return step.missing >= 0 || step.losing !== null || step.chore !== null;
  return ["lose", "fail", "badSpot", "rot", "chore"].includes(step.do);
}
