import { isCevError } from "@cev/core";
import { Random } from "../random.ts";
import { Excused } from "./judge.ts";
import type { Excuses, Judge } from "./judge.ts";
import type { Machine } from "./machine.ts";
import { layersOf } from "./plan.ts";
import { seedOf } from "./seed.ts";
import type { PlannedChore } from "./step.ts";

/** What upkeep has to know of its run. */
export interface UpkeepRun {
  readonly machine: Machine;
  readonly judge: Judge;
  readonly seed: number;
  readonly excuses: () => Excuses;
  /** A layer that is degraded and was cut short may refuse to be written, and is no lower to work with then. */
  readonly mayRefuse: boolean;
}

/** What layers do beside requests, each by its kind. */
export class Upkeep {
  readonly #run: UpkeepRun;

  constructor(run: UpkeepRun) {
    this.#run = run;
  }

  /** Until all that they do by themselves has ended. */
  async settle(): Promise<void> {
    for (const { kind, layer } of this.#run.machine.rig.places)
      await this.#do(`${kind.name} settles`, kind.settle?.(layer));
  }

  /** Everything that is there becomes part of the stack again. */
  async mend(): Promise<void> {
    const { rig, world } = this.#run.machine;
    for (const { kind, layer, lowers } of rig.places) {
      const there = lowers.filter((lower) => lower !== null);
      await this.#do(`${kind.name} takes back what was lost`, kind.mend?.(layer, there, world.environment));
    }
    await this.settle();
  }

  /** Resolves with what was found. */
  async chore({ kind, place, name }: PlannedChore, stepIndex: number): Promise<readonly string[]> {
    const { rig, world } = this.#run.machine;
    const top = rig.places.at(-1)?.plan;
    const nodes = top === undefined ? [] : layersOf(top).filter((node) => node.kind === kind);
    const wanted = nodes[place % Math.max(1, nodes.length)];
    const at = rig.places.find(({ plan }) => plan === wanted);
    const chore = at?.kind.chores?.find((one) => one.name === name);
    if (at === undefined || chore === undefined) return [];
    const { layer, plan, lowers } = at;
    // In a stack that was made smaller it may have become another one.
    if (chore.isPossible?.(plan.options) === false) return [];
    const findings = await chore.run({
      layer,
      lowers: lowers.filter((lower) => lower !== null),
      options: plan.options,
      environment: world.environment,
      random: new Random(seedOf(this.#run.seed, "chore", stepIndex)),
    });
    return (findings ?? []).map((finding) => `${kind}: ${finding}`);
  }

  /** What is wrong with any of them. */
  async verify(): Promise<readonly string[]> {
    const { machine } = this.#run;
    const findings: string[] = [];
    for (const { kind, layer } of machine.rig.places)
      for (const finding of await machine.drive(kind.verify?.(layer) ?? Promise.resolve([])))
        findings.push(`${kind.name}: ${finding}`);
    return findings;
  }

  async #do(what: string, work: Promise<void> | undefined): Promise<void> {
    if (work === undefined) return;
    const { machine, judge, excuses, mayRefuse } = this.#run;
    try {
      await machine.drive(work);
    } catch (error) {
      const mayFail = excuses().mayFail || (mayRefuse && isCevError(error));
      judge.error(what, error, { ...excuses(), mayFail });
      throw new Excused();
    }
  }
}
