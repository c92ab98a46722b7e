import type { Random } from "../random.ts";
import { LossRule } from "./loss-rule.ts";
import { disksOf, isDisk, layersOf } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import { coveredDisks, noticedRanges } from "./reach.ts";
import type { DiskRange } from "./reach.ts";
import type { SimulationKind } from "./kind.ts";
import type { CutPolicy, CutStep, Load, PlannedChore, PlannedRequest, Step } from "./step.ts";

const POLICIES: readonly CutPolicy[] = ["all", "none", "sectors", "disks"];
const SECTOR = 512;

/** Draws the work for a stack. */
export function drawScript(
  random: Random,
  plan: StackPlan,
  kinds: ReadonlyMap<string, SimulationKind>,
): readonly Step[] {
  return new Writer(random, plan, kinds).write();
}

class Writer {
  readonly #random: Random;
  readonly #plan: StackPlan;
  readonly #sectors: number;
  readonly #diskCount: number;
  readonly #isVolatile: boolean;
  readonly #isRedundant: boolean;
  readonly #losses: LossRule;
  /** Disks that fail although nothing can make up for it: errors are allowed then, wrong bytes are not. */
  readonly #isWild: boolean;
  /** Bits of disks change: the same. None: they do not. */
  readonly #safe: readonly DiskRange[];
  readonly #chores: readonly PlannedChore[];
  readonly #covered: readonly number[];
  #lost: number[] = [];
  #steps: Step[] = [];

  constructor(random: Random, plan: StackPlan, kinds: ReadonlyMap<string, SimulationKind>) {
    this.#random = random;
    this.#plan = plan;
    this.#sectors = Math.floor(plan.top.size / SECTOR);
    this.#diskCount = disksOf(plan.top).length;
    this.#losses = new LossRule(plan.top, kinds);
    const traits = layersOf(plan.top).map(({ kind, options }) => kinds.get(kind)!.traits(options));
    this.#isVolatile = traits.some(({ forgets }) => forgets === true);
    this.#isRedundant = traits.some(({ lossesMax = 0 }) => lossesMax > 0);
    this.#isWild = random.chance(0.15);
    const safe = noticedRanges(plan.top, kinds);
    this.#safe = !this.#isWild && random.chance(0.5) ? safe : [];
    this.#chores = choresOf(plan, kinds);
    this.#covered = coveredDisks(plan.top, kinds);
  }

  write(): readonly Step[] {
    const count = this.#random.between(20, 160);
    while (this.#steps.length < count) this.#step();
    if (!this.#isVolatile) this.#add({ do: "reopen" });
    return this.#steps;
  }

  #step(): void {
    const random = this.#random;
    // Nothing can happen to disks where there are none.
    const what = random.below(this.#diskCount === 0 ? 33 : 47);
    if (what < 28) return this.#add({ do: "batch", requests: this.#batch() });
    if (what < 30) return this.#add({ do: "wait", ms: random.pick([1, 30, 250, 6000]) });
    if (what === 30) return this.#isVolatile ? undefined : this.#add({ do: "reopen" });
    if (what < 33) return this.#atPlace(what === 31 ? "insert" : "remove");
    if (what < 36) return this.#isVolatile ? undefined : this.#cut(null);
    if (what < 38) return this.#lose();
    if (what < 40) return this.#mend();
    if (what < 44) return this.#chore();
    if (what < 46) return this.#fault();
    this.#rot();
  }

  #add(step: StepBody): void {
    this.#steps.push({ index: this.#steps.length, ...step });
  }

  #load(turnsMax: number): Load {
    return { requests: this.#requests(), turns: this.#random.below(turnsMax) };
  }

  #batch(): PlannedRequest[] {
    const requests = this.#requests();
    if (!this.#random.chance(0.02)) return requests;
    const cancelAt = this.#random.below(4);
    return requests.map((request) => ({ ...request, cancelAt }));
  }

  #requests(): PlannedRequest[] {
    const requests: PlannedRequest[] = [];
    for (let count = this.#random.between(1, 8), index = 0; index < count; index++) {
      const request = this.#request(index);
      const before = requests.at(-1);
      // The same place once more, where that may be.
      const isAgain = this.#plan.overlaps && before !== undefined && this.#random.chance(0.4);
      requests.push(isAgain ? { ...request, sector: before.sector, count: before.count } : request);
    }
    return requests;
  }

  #request(index: number): PlannedRequest {
    const random = this.#random;
    const sectors = this.#sectors;
    const draw = random.below(100);
    const what =
      draw < 54 ? "write" : draw < 82 ? "read" : draw < 90 ? "flush" : draw < 96 ? "zeroes" : "discard";
    let count = random.chance(0.2) ? random.between(1, 64) : random.between(1, 8);
    // At borders of blocks and chunks, across them, at the end, anywhere.
    let sector = random.below(sectors);
    const place = random.below(10);
    if (place < 3) sector -= sector % 8;
    else if (place === 3) sector -= (sector % 16) + Math.min(count, random.between(1, 3));
    else if (place === 4) sector = sectors - count;
    else if (place === 5) count = 8;
    sector = Math.max(0, Math.min(sector, sectors - 1));
    count = Math.min(count, sectors - sector);
    const isFua = what !== "read" && what !== "flush" && random.chance(0.1);
    return { index, what, sector, count, isFua, cancelAt: random.chance(0.02) ? random.below(4) : -1 };
  }

  #cut(chore: PlannedChore | null): void {
    const random = this.#random;
    const missing = random.chance(this.#isRedundant ? 0.3 : 0.1) ? random.below(this.#diskCount) : -1;
    const isMissing =
      missing >= 0 &&
      chore === null &&
      !this.#isWild &&
      this.#lost.length === 0 &&
      this.#losses.allows([missing]);
    if (isMissing) this.#lost = [missing];
    const losing = isMissing || chore !== null ? null : this.#losing();
    if (losing !== null) this.#lost = [losing.disk];
    const { requests, turns } = this.#load(chore === null ? 8 : 60);
    const isPrompt = chore === null && random.chance(losing === null ? 0.2 : 0.7);
    this.#add({
      do: "cut",
      policy: random.pick(POLICIES),
      // What is on fewer disks than it should be and said to be durable.
      requests: losing === null && !isPrompt ? requests : requests.map((one) => this.#oftenDurable(one)),
      turns,
      isPrompt,
      again: random.chance(0.3) ? [this.#openingTurns(), this.#openingTurns()] : [],
      missing: isMissing ? missing : -1,
      isBack: !isMissing && losing === null && this.#lost.length > 0 && random.chance(0.5),
      losing,
      chore,
    });
  }

  /** In most of them a stack is not open yet; what a layer puts in order as it is opened takes more. */
  #openingTurns(): number {
    return this.#random.below(this.#random.pick([30, 30, 120]));
  }

  #oftenDurable(request: PlannedRequest): PlannedRequest {
    return request.what === "write" && this.#random.chance(0.5) ? { ...request, isFua: true } : request;
  }

  #losing(): CutStep["losing"] {
    const random = this.#random;
    if (!this.#isRedundant || this.#isWild || this.#lost.length > 0 || !random.chance(0.5)) return null;
    const disk = random.below(this.#diskCount);
    if (!this.#losses.allows([disk])) return null;
    return { disk, turns: random.chance(0.6) ? 0 : random.between(1, 6), isBack: random.chance(0.7) };
  }

  #lose(): void {
    const disk = this.#random.below(this.#diskCount);
    const lost = [...this.#lost, disk];
    if (this.#isWild || this.#lost.includes(disk) || !this.#losses.allows(lost)) return;
    this.#lost = lost;
    this.#add({ do: "lose", disk, ...this.#load(6) });
    // At once, as long as only the next writes will show that it is gone.
    if (!this.#isVolatile && this.#random.chance(0.4)) this.#cut(null);
  }

  #mend(): void {
    const [disk] = this.#lost;
    if (disk === undefined || this.#isVolatile) return;
    this.#lost = this.#lost.slice(1);
    this.#add({ do: "mend", disk });
    // As long as nothing is missing again.
    if (this.#random.chance(0.5)) this.#chore();
  }

  #atPlace(what: "insert" | "remove"): void {
    if (!this.#plan.hasJoints) return;
    const place = this.#random.below(layersOf(this.#plan.top).length + this.#diskCount);
    this.#add({ do: what, place, ...this.#load(6) });
  }

  #chore(): void {
    if (this.#chores.length === 0 || this.#lost.length > 0 || this.#isWild) return;
    const chore = this.#random.pick(this.#chores);
    if (!this.#isVolatile && this.#random.chance(0.3)) this.#cut(chore);
    else this.#add({ do: "chore", chore, ...this.#load(20) });
  }

  #fault(): void {
    const random = this.#random;
    if (!this.#isWild && this.#covered.length === 0) return;
    const disk = this.#isWild ? random.below(this.#diskCount) : random.pick(this.#covered);
    if (!this.#isWild) {
      const lost = [...this.#lost, disk];
      if (this.#isVolatile || this.#lost.includes(disk) || !this.#losses.allows(lost)) return;
      this.#lost = lost;
    }
    const size = disksOf(this.#plan.top)[disk]!.size / SECTOR;
    const sector = random.below(size);
    const count = Math.min(random.between(1, 8), size - sector);
    const isCovered = !this.#isWild;
    if (random.chance(0.5)) this.#add({ do: "badSpot", disk, sector, count, isCovered });
    else this.#add({ do: "fail", disk, skip: random.below(20), isCovered });
  }

  #rot(): void {
    if (this.#safe.length === 0) return;
    const { disk, offset, length } = this.#random.pick(this.#safe);
    this.#add({
      do: "rot",
      disk,
      byte: offset + this.#random.below(length),
      bit: this.#random.below(8),
    });
  }
}

function choresOf(plan: StackPlan, kinds: ReadonlyMap<string, SimulationKind>): PlannedChore[] {
  if (isDisk(plan.top)) return [];
  const counts = new Map<string, number>();
  return layersOf(plan.top).flatMap(({ kind, options }) => {
    const place = counts.get(kind) ?? 0;
    counts.set(kind, place + 1);
    return (kinds.get(kind)!.chores ?? [])
      .filter(({ isPossible }) => isPossible === undefined || isPossible(options))
      .map(({ name }) => ({ kind, place, name }));
  });
}

type WithoutIndex<T> = T extends unknown ? Omit<T, "index"> : never;
type StepBody = WithoutIndex<Step>;
