import type { Random } from "../random.ts";
import { disksOf, layersOf } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import type { SimulationKind } from "./kind.ts";
import { LossRule } from "./loss-rule.ts";

/** What the disks keep of what was not made durable: everything, nothing, of each sector anything, or of each disk all or nothing. */
export type CutPolicy = "all" | "none" | "sectors" | "disks";

/** A request of the work: sectors of 512 bytes. */
export interface PlannedRequest {
  readonly what: "read" | "write" | "zeroes" | "discard" | "flush";
  readonly sector: number;
  readonly count: number;
  readonly isFua: boolean;
  /** In which turn it is cancelled; -1: never. */
  readonly cancelAt: number;
}

/** What happens next. `index` stays when others are left out: data and order come from it. */
export type Step = { readonly index: number } & (
  | { readonly do: "batch"; readonly requests: readonly PlannedRequest[] }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "reopen" }
  | {
      readonly do: "cut";
      readonly policy: CutPolicy;
      /** Under way when the power goes, after so many turns. */
      readonly requests: readonly PlannedRequest[];
      readonly turns: number;
      /** It goes again while the stack is being opened: after so many turns, each time. */
      readonly again: readonly number[];
      /** A disk that does not come back; -1: all do. */
      readonly missing: number;
      /** Disks that were lost before are there again, as old as they are. */
      readonly isBack: boolean;
    }
  | { readonly do: "lose" | "mend"; readonly disk: number }
  | { readonly do: "badSpot"; readonly disk: number; readonly sector: number; readonly count: number }
  | { readonly do: "fail"; readonly disk: number; readonly skip: number }
  | { readonly do: "swap"; readonly place: number }
);

const POLICIES: readonly CutPolicy[] = ["all", "none", "sectors", "disks"];

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
  readonly #losses: LossRule;
  readonly #isWild: boolean;
  #lost: number[] = [];
  #steps: Step[] = [];

  constructor(random: Random, plan: StackPlan, kinds: ReadonlyMap<string, SimulationKind>) {
    this.#random = random;
    this.#plan = plan;
    this.#sectors = Math.floor(plan.top.size / 512);
    this.#diskCount = disksOf(plan.top).length;
    this.#losses = new LossRule(plan.top, kinds);
    this.#isVolatile = layersOf(plan.top).some(
      ({ kind, options }) => kinds.get(kind)!.traits(options).forgets === true,
    );
    // In some runs disks fail although nothing can make up for it: errors are allowed then, wrong bytes are not.
    this.#isWild = random.chance(0.15);
  }

  write(): readonly Step[] {
    const count = this.#random.between(20, 120);
    while (this.#steps.length < count) this.#step();
    if (!this.#isVolatile) this.#add({ do: "reopen" });
    return this.#steps;
  }

  #step(): void {
    const random = this.#random;
    // Nothing can happen to disks where there are none.
    const what = random.below(this.#diskCount === 0 ? 31 : 41);
    if (what < 28) return this.#add({ do: "batch", requests: this.#requests() });
    if (what < 30) return this.#add({ do: "wait", ms: random.pick([1, 30, 250, 6000]) });
    if (what === 30) return this.#isVolatile ? undefined : this.#add({ do: "reopen" });
    if (what < 34) return this.#isVolatile ? undefined : this.#cut();
    if (what < 36) return this.#lose();
    if (what < 38) return this.#mend();
    if (what === 38 && this.#plan.hasJoints)
      return this.#add({ do: "swap", place: random.below(layersOf(this.#plan.top).length + 1) });
    if (this.#isWild) this.#fault();
  }

  #add(step: StepBody): void {
    this.#steps.push({ index: this.#steps.length, ...step });
  }

  #requests(): PlannedRequest[] {
    const random = this.#random;
    return Array.from({ length: random.between(1, 8) }, () => this.#request());
  }

  #request(): PlannedRequest {
    const random = this.#random;
    const sectors = this.#sectors;
    const draw = random.below(100);
    const what =
      draw < 55 ? "write" : draw < 80 ? "read" : draw < 88 ? "flush" : draw < 96 ? "zeroes" : "discard";
    let count = random.chance(0.2) ? random.between(1, 64) : random.between(1, 8);
    // At borders of blocks and chunks, at the end, anywhere.
    let sector = random.below(sectors);
    const place = random.below(10);
    if (place < 4) sector -= sector % 8;
    else if (place === 4) sector = sectors - count;
    else if (place === 5) count = 8;
    sector = Math.max(0, Math.min(sector, sectors - 1));
    count = Math.min(count, sectors - sector);
    const isFua = what !== "read" && what !== "flush" && random.chance(0.12);
    return { what, sector, count, isFua, cancelAt: random.chance(0.02) ? random.below(4) : -1 };
  }

  #cut(): void {
    const random = this.#random;
    const missing = random.chance(0.35) ? random.below(this.#diskCount) : -1;
    const isMissing =
      missing >= 0 && !this.#isWild && this.#lost.length === 0 && this.#losses.allows([missing]);
    if (isMissing) this.#lost = [missing];
    this.#add({
      do: "cut",
      policy: random.pick(POLICIES),
      requests: this.#requests(),
      turns: random.below(8),
      again: random.chance(0.3) ? [random.below(30), random.below(30)] : [],
      missing: isMissing ? missing : -1,
      isBack: !isMissing && this.#lost.length > 0 && random.chance(0.5),
    });
  }

  #lose(): void {
    const disk = this.#random.below(this.#diskCount);
    const lost = [...this.#lost, disk];
    if (this.#isWild || this.#lost.includes(disk) || !this.#losses.allows(lost)) return;
    this.#lost = lost;
    this.#add({ do: "lose", disk });
    // At once, as long as only the next writes will show that it is gone.
    if (!this.#isVolatile && this.#random.chance(0.4)) this.#cut();
  }

  #mend(): void {
    const [disk] = this.#lost;
    if (disk === undefined || this.#isVolatile) return;
    this.#lost = this.#lost.slice(1);
    this.#add({ do: "mend", disk });
  }

  #fault(): void {
    const random = this.#random;
    const disk = random.below(this.#diskCount);
    const size = disksOf(this.#plan.top)[disk]!.size / 512;
    const sector = random.below(size);
    if (random.chance(0.5))
      this.#add({ do: "badSpot", disk, sector, count: Math.min(random.between(1, 8), size - sector) });
    else this.#add({ do: "fail", disk, skip: random.below(20) });
  }
}

type WithoutIndex<T> = T extends unknown ? Omit<T, "index"> : never;
type StepBody = WithoutIndex<Step>;
