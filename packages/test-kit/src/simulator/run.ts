import { isCevError, readBytes, writeBytes } from "@cev/core";
import type { Environment } from "@cev/core";
import { Random } from "../random.ts";
import type { Absences } from "./absences.ts";
import { imagesAfter } from "./images-after.ts";
import type { Judge } from "./judge.ts";
import type { SimulationKind } from "./kind.ts";
import type { Machine } from "./machine.ts";
import { disksOf } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import { coveredDisks, noticedRanges } from "./reach.ts";
import type { DiskRange } from "./reach.ts";
import type { SimulationResult } from "./result.ts";
import { Trace, seedOf } from "./seed.ts";
import { Session } from "./session.ts";
import type { CutStep, Load, PlannedRequest, Step } from "./step.ts";
import { Upkeep } from "./upkeep.ts";
import { apart, workOff } from "./work.ts";

const SECTOR = 512;
// What is durable takes so many at most, mostly.
const PROMPT_TURNS_MAX = 40;

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
  readonly #session: Session;
  readonly #machine: Machine;
  readonly #judge: Judge;
  readonly #absences: Absences;
  readonly #upkeep: Upkeep;
  /** What was read after a cut may be relied on: nothing ever leaves the stack or fails. */
  readonly #isComplete: boolean;
  readonly #diskCount: number;
  /** Where altered bits are noticed, and disks that something directly above can do without. A smaller stack has fewer. */
  readonly #noticed: readonly DiskRange[];
  readonly #covered: readonly number[];
  #stepCount = 0;
  #requestCount = 0;
  #cutCount = 0;
  /** Flushes and writes with FUA that have succeeded. */
  #durableCount = 0;

  constructor(
    plan: StackPlan,
    script: readonly Step[],
    seed: number,
    kinds: ReadonlyMap<string, SimulationKind>,
  ) {
    this.#plan = plan;
    this.#script = script;
    this.#seed = seed;
    this.#session = new Session({ plan, kinds, seed, trace: this.#trace });
    this.#isComplete = !script.some(isDamaging);
    const { machine, judge, absences, refusesDegraded } = this.#session;
    this.#machine = machine;
    this.#judge = judge;
    this.#absences = absences;
    this.#upkeep = new Upkeep({
      machine,
      judge,
      seed,
      excuses: () => this.#session.excuses,
      mayRefuse: refusesDegraded && !this.#isComplete,
    });
    this.#diskCount = disksOf(plan.top).length;
    this.#noticed = noticedRanges(plan.top, kinds);
    this.#covered = coveredDisks(plan.top, kinds);
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
    await this.#machine.drive(this.#machine.rig.open(true, false));
    const words = await this.#session.readAll();
    this.#session.now.learn(words);
    // What it shows at first may not be durable, and need not even be written.
    await this.#machine.drive(this.#machine.rig.device!.flush());
    // Until then the copies that a new array has of what nobody wrote differ.
    await this.#upkeep.settle();
    this.#session.durable.learn(words);
  }

  async #do(step: Step): Promise<void> {
    this.#stepCount++;
    switch (step.do) {
      case "batch":
        // Each of them is a step.
        this.#stepCount--;
        await this.#machine.drive(this.#work(step.requests, step.index));
        return;
      case "wait":
        return this.#machine.drive(
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
          this.#session.faultOf(disk).addBadRange(step.sector * SECTOR, step.count * SECTOR),
        );
      case "fail":
        return this.#spoil(step, (disk) => this.#session.faultOf(disk).failNth(step.skip + 1));
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
    const fitting = requests.filter(({ sector, count }) => sector + count <= this.#session.now.sectorCount);
    this.#stepCount += fitting.length;
    this.#requestCount += fitting.length;
    await workOff(
      {
        environment: this.#machine.world.environment,
        device: this.#machine.rig.device!,
        durable: this.#session.durable,
        now: this.#session.now,
        trace: this.#trace,
        overlaps,
        atOnceMax,
        judge: (what, error, isCancelled) => {
          if (life === this.#machine.lives)
            this.#judge.error(what, error, this.#session.excuses, isCancelled);
        },
        found: (finding) => this.#judge.found(finding),
        madeDurable: () => {
          this.#durableCount++;
        },
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
    await this.#machine.drive(work);
  }

  async #reopen(): Promise<void> {
    const { now, durable } = this.#session;
    const isOrderly = await this.#session.close();
    // Whoever was told that closing failed has what was flushed, as after a power cut.
    if (!isOrderly) durable.cut();
    await this.#session.open(isOrderly ? now : durable);
  }

  async #cut(step: CutStep & Step): Promise<void> {
    const machine = this.#machine;
    const absences = this.#absences;
    const policy = this.#plan.policy ?? step.policy;
    const random = new Random(seedOf(this.#seed, "cut", step.index));
    this.#cutCount++;
    const losing = step.losing === null ? -1 : step.losing.disk % this.#diskCount;
    const isLosing = losing >= 0 && absences.canLose(losing);
    const lose = (): void => {
      absences.lose(losing);
      this.#session.faultOf(losing).lose();
    };
    let { requests } = step;
    if (isLosing) {
      await this.#upkeep.settle();
      // What is idle has to say that it is at work before it writes, and would find out then: it must be at work already.
      const count = Math.ceil(requests.length / 2);
      await this.#machine.drive(this.#work(requests.slice(0, count), step.index));
      requests = requests.slice(count);
    }
    // Before anything more is sent to it, or while it is at work.
    if (isLosing && step.losing!.turns === 0) lose();
    void this.#work(requests, step.index).catch(() => undefined);
    if (step.chore !== null && this.#session.isWhole) {
      this.#session.isUnfinished = true;
      void this.#upkeep.chore(step.chore, step.index).catch(() => undefined);
    }
    if (isLosing && step.losing!.turns > 0) {
      await machine.world.turns(step.losing!.turns);
      lose();
    }
    if (step.isPrompt) await this.#turnsUntilDurable();
    else await machine.world.turns(step.turns);
    this.#session.durable.cut();
    if (step.isBack) absences.returnAll();
    if (isLosing && step.losing!.isBack) absences.return(losing);
    const missing = step.missing % this.#diskCount;
    if (missing >= 0 && !this.#session.isUnfinished && absences.canLose(missing)) absences.lose(missing);
    this.#session.begin(imagesAfter(machine.disks, policy, random));
    for (const turns of step.again) {
      this.#cutCount++;
      machine.rig.open(false, absences.hasAny).catch(() => undefined);
      await machine.world.turns(turns);
      this.#session.begin(imagesAfter(machine.disks, this.#plan.policy ?? "sectors", random));
    }
    const words = await this.#session.open(this.#session.durable);
    if (words !== null && this.#isComplete) this.#session.durable.learn(words);
    if (this.#session.isUnfinished && this.#judge.findings.length === 0)
      await this.#takeBack("a chore was cut short");
  }

  async #turnsUntilDurable(): Promise<void> {
    const before = this.#durableCount;
    for (let turns = 0; turns < PROMPT_TURNS_MAX && this.#durableCount === before; turns++)
      await this.#machine.world.turns(1);
  }

  async #lose(step: Load & Step & { readonly do: "lose" }): Promise<void> {
    const disk = step.disk % this.#diskCount;
    if (!this.#absences.canLose(disk)) return;
    await this.#upkeep.settle();
    await this.#meanwhile(step, async () => {
      this.#absences.lose(disk);
      this.#session.faultOf(disk).lose();
    });
  }

  /** A disk that fails for once, or in places. Where something makes up for that, it counts as one that may be out of date. */
  async #spoil(
    step: Step & { readonly do: "badSpot" | "fail" },
    spoil: (disk: number) => void,
  ): Promise<void> {
    const disk = step.disk % this.#diskCount;
    if (step.isCovered && !(this.#covered.includes(disk) && this.#absences.canLose(disk))) return;
    // Copies that differ since a power cut: which one is read changes where the first cannot be.
    await this.#upkeep.settle();
    if (step.isCovered) this.#absences.return(disk);
    else this.#session.mayFail = true;
    spoil(disk);
  }

  /** A bit changes on the medium. */
  async #rot(step: Step & { readonly do: "rot" }): Promise<void> {
    const index = step.disk % this.#diskCount;
    const isNoticed = this.#noticed.some(
      ({ disk, offset, length }) => disk === index && step.byte >= offset && step.byte < offset + length,
    );
    if (!isNoticed) return;
    const disk = this.#machine.disks[index]!;
    const { environment } = this.#machine.world;
    const { blockSize } = disk.plan;
    const offset = step.byte - (step.byte % blockSize);
    this.#session.mayFail = true;
    const block = (
      await this.#machine.drive(readBytes(disk.platter, environment, offset, blockSize))
    ).slice();
    block[step.byte - offset]! ^= 1 << step.bit;
    await this.#machine.drive(writeBytes(disk.platter, environment, offset, block, disk.plan.fua));
  }

  async #mend(disk: number): Promise<void> {
    const absences = this.#absences;
    if (absences.isInOrder(disk)) return;
    absences.return(disk);
    this.#session.faultOf(disk).find();
    await this.#reopen();
    if (this.#judge.findings.length > 0) return;
    await this.#takeBack("a disk was taken back");
    absences.tookBack(disk);
  }

  /** Everything that is there becomes part of the stack again. */
  async #takeBack(when: string): Promise<void> {
    await this.#upkeep.mend();
    this.#session.isUnfinished = false;
    await this.#session.compare(when);
  }

  async #choreStep(step: Load & Step & { readonly do: "chore" }): Promise<void> {
    if (!this.#session.isWhole) return;
    const { environment } = this.#machine.world;
    const requests = this.#plan.overlaps ? step.requests : apart(step.requests);
    const half = Math.ceil(requests.length / 2);
    const late = requests.slice(half);
    await this.#meanwhile({ ...step, requests: requests.slice(0, half) }, async () => {
      // The others come while it is at work.
      const later = afterTurns(environment, step.turns).then(() => this.#work(late, step.index));
      const { name, kind } = step.chore;
      try {
        for (const finding of await this.#machine.drive(this.#upkeep.chore(step.chore, step.index)))
          this.#judge.found(finding);
      } catch (error) {
        this.#judge.error(`${kind}: ${name}`, error, this.#session.excuses);
      }
      await this.#machine.drive(later);
    });
    await this.#upkeep.settle();
    await this.#session.compare(`${step.chore.kind}: ${step.chore.name}`);
  }

  async #exchange(step: Load & Step & { readonly do: "insert" | "remove" }): Promise<void> {
    await this.#meanwhile(step, async () => {
      try {
        await this.#machine.drive(this.#machine.rig.exchange(step.do, step.place));
      } catch (error) {
        // It flushes what it stands on, which may be what was lost.
        if (this.#absences.hasAny && isCevError(error)) this.#judge.excusedCount++;
        else this.#judge.error("exchanging a layer", error, this.#session.excuses);
      }
    });
  }

  /** Nothing is left over, and every layer is in order. */
  async #end(): Promise<void> {
    const { rig } = this.#machine;
    if (!this.#session.isWhole || rig.device === null) return;
    await this.#machine.drive(rig.device.flush());
    await this.#upkeep.settle();
    for (const finding of await this.#upkeep.verify()) this.#judge.found(finding);
    await this.#endWithout();
    await this.#session.close();
  }

  /** What is not read as long as all is there has to be right, too: sometimes a disk goes, and the others must do without it. */
  async #endWithout(): Promise<void> {
    const random = new Random(seedOf(this.#seed, "end"));
    // Not always: what is closed with a part away may leave things behind.
    if (this.#covered.length === 0 || this.#judge.findings.length > 0 || random.chance(0.5)) return;
    const disk = random.pick(this.#covered);
    if (!this.#absences.canLose(disk)) return;
    this.#absences.lose(disk);
    this.#session.faultOf(disk).lose();
    await this.#session.compare("a disk was lost at the end");
  }
}

function afterTurns(environment: Environment, turns: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number): void => {
      if (left === 0) resolve();
      else environment.later(() => next(left - 1));
    };
    next(turns);
  });
}

/** After it, what one part of the stack holds may not be what another one gives. */
function isDamaging(step: Step): boolean {
  if (step.do === "cut") return step.missing >= 0 || step.losing !== null || step.chore !== null;
  return ["lose", "fail", "badSpot", "rot", "chore"].includes(step.do);
}
