import { withRequests } from "./keep.ts";
import type { SimulationKind } from "./kind.ts";
import type { StackPlan } from "./plan.ts";
import { simulate } from "./run.ts";
import { simplerRuns, simplerStacks } from "./simpler-stacks.ts";
import { requestsOf } from "./step.ts";
import type { Step } from "./step.ts";

/** A run that found something. */
export interface Shrinkable {
  readonly seed: number;
  readonly plan: StackPlan;
  readonly script: readonly Step[];
  readonly finding: string;
}

const RUNS_MAX = 200;

/**
 * Leaves out steps and requests, and makes the stack and the way it is run simpler, as long as the same is found: at most 200 runs. Data
 * and order of the steps that stay are as they were, so that those left are named by their numbers.
 */
export async function shrink<T extends Shrinkable>(
  failure: T,
  kinds: readonly SimulationKind[],
  runsMax: number = RUNS_MAX,
): Promise<T> {
  const { plan, script, finding } = await new Shrinker(failure, kinds, runsMax).run();
  return { ...failure, plan, script, finding };
}

class Shrinker {
  readonly #kinds: readonly SimulationKind[];
  readonly #runsMax: number;
  readonly #wanted: string;
  #best: Shrinkable;
  #runCount = 0;

  constructor(failure: Shrinkable, kinds: readonly SimulationKind[], runsMax: number) {
    this.#best = failure;
    this.#kinds = kinds;
    this.#runsMax = runsMax;
    this.#wanted = classOf(failure.finding);
  }

  async run(): Promise<Shrinkable> {
    // What comes after the step in which it was found goes at once.
    await this.#tried({});
    await this.#halves(4);
    // Smaller stacks leave fewer turns to be lucky in: again after every step of the way.
    await this.#stacks();
    for (let before = this.#runCount - 1; this.#runCount > before;) {
      before = this.#runCount;
      const size = this.#size;
      await this.#halves(1);
      await this.#requests();
      await this.#stacks();
      await this.#ways();
      if (this.#size >= size) break;
    }
    return this.#best;
  }

  /** Leaves out runs of steps, by halves down to so many. */
  async #halves(lengthMin: number): Promise<void> {
    for (let length = this.#best.script.length; length >= lengthMin; length = Math.floor(length / 2)) {
      for (let start = 0; start < this.#best.script.length && !this.#isOver;) {
        const script = this.#best.script.toSpliced(start, length);
        if (!(await this.#tried({ script }))) start += length;
      }
    }
  }

  async #requests(): Promise<void> {
    for (let at = 0; at < this.#best.script.length && !this.#isOver; at++) {
      const step = this.#best.script[at]!;
      if (requestsOf(step).length > 1 && (await this.#without(at, () => true))) continue;
      for (const { index } of requestsOf(step)) await this.#without(at, (request) => request === index);
    }
  }

  /** One step without some of its requests. */
  async #without(at: number, isOut: (request: number) => boolean): Promise<boolean> {
    const { script } = this.#best;
    const step = script[at];
    if (step === undefined || requestsOf(step).length === 0) return false;
    return this.#tried({
      script: script.with(
        at,
        withRequests(step, (request) => !isOut(request)),
      ),
    });
  }

  async #stacks(): Promise<void> {
    const kinds = new Map(this.#kinds.map((kind) => [kind.name, kind]));
    while (await this.#triedAny(simplerStacks(this.#best.plan, kinds))) {
      // From the first one again: what gives way may have stood in the way of more.
    }
  }

  async #ways(): Promise<void> {
    while (await this.#triedAny(simplerRuns(this.#best.plan))) {
      // One thing after the other.
    }
  }

  async #triedAny(plans: Iterable<StackPlan>): Promise<boolean> {
    for (const plan of plans) {
      if (this.#isOver) return false;
      if (await this.#tried({ plan })) return true;
    }
    return false;
  }

  get #isOver(): boolean {
    return this.#runCount >= this.#runsMax;
  }

  /** Steps, requests and what the stack is described by. */
  get #size(): number {
    const { plan, script } = this.#best;
    const requestCount = script.reduce((sum, step) => sum + requestsOf(step).length, 0);
    return script.length + requestCount + JSON.stringify(plan).length;
  }

  async #tried(change: Partial<Shrinkable>): Promise<boolean> {
    if (this.#isOver) return false;
    this.#runCount++;
    const next = { ...this.#best, ...change };
    const result = await simulate(next.plan, next.script, next.seed, this.#kinds);
    const finding = result.findings.find((one) => classOf(one) === this.#wanted);
    if (finding === undefined) return false;
    const last = next.script.findIndex(({ index }) => index === result.stepIndex);
    this.#best = { ...next, finding, script: last < 0 ? next.script : next.script.slice(0, last + 1) };
    return true;
  }
}

/** What is wrong, wherever it is: numbers do not count. */
function classOf(finding: string): string {
  return finding.replaceAll(/\d+/g, "0");
}
