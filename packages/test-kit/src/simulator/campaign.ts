import { Random } from "../random.ts";
import type { SimulationKind } from "./kind.ts";
import { drawStack, layersOf, stackText } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import { replayLine } from "./replay-line.ts";
import { simulate } from "./run.ts";
import { drawScript } from "./script.ts";
import type { Step } from "./script.ts";
import { seedOf } from "./seed.ts";
import { shrink } from "./shrink.ts";

/** A run that found something, as small as it could be made. */
export interface SimulationFailure {
  readonly seed: number;
  readonly plan: StackPlan;
  readonly script: readonly Step[];
  /** What is wrong, in words. */
  readonly finding: string;
  /** One line that says what is wrong and how to run it again. */
  readonly line: string;
}

/** Settings of a campaign. */
export interface CampaignOptions {
  /** Run number i has the seed `seed + i`. */
  readonly seed: number;
  readonly kinds: readonly SimulationKind[];
  /** It ends after so many steps at least. Default: never. */
  readonly stepsMax?: number;
  /** It ends with the first run that is over when this says so. */
  readonly isOver?: () => boolean;
  /** After so many failures. Default 1. */
  readonly failuresMax?: number;
  readonly onFailure?: (failure: SimulationFailure) => void;
}

/** What a campaign did. */
export interface CampaignReport {
  readonly runCount: number;
  readonly stepCount: number;
  readonly cutCount: number;
  readonly excusedCount: number;
  readonly turnCount: number;
  /** In how many runs each kind was part of the stack. */
  readonly runsByKind: Readonly<Record<string, number>>;
  readonly failures: readonly SimulationFailure[];
}

/** The stack and the work that a seed stands for, with these kinds. */
export function runOfSeed(
  seed: number,
  kinds: readonly SimulationKind[],
): { readonly plan: StackPlan; readonly script: readonly Step[] } {
  const plan = drawStack(new Random(seedOf(seed, "stack")), kinds);
  const named = new Map(kinds.map((kind) => [kind.name, kind]));
  return { plan, script: drawScript(new Random(seedOf(seed, "script")), plan, named) };
}

/** Runs seed after seed. */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const { kinds, stepsMax = Infinity, isOver = () => false, failuresMax = 1 } = options;
  const runsByKind: Record<string, number> = Object.fromEntries(kinds.map(({ name }) => [name, 0]));
  const sums = { runCount: 0, stepCount: 0, cutCount: 0, excusedCount: 0, turnCount: 0 };
  const failures: SimulationFailure[] = [];
  for (let seed = options.seed; sums.stepCount < stepsMax && !isOver(); seed++) {
    const { plan, script } = runOfSeed(seed, kinds);
    const result = await simulate(plan, script, seed, kinds);
    sums.runCount++;
    sums.stepCount += result.stepCount;
    sums.cutCount += result.cutCount;
    sums.excusedCount += result.excusedCount;
    sums.turnCount += result.turnCount;
    for (const name of new Set(layersOf(plan.top).map(({ kind }) => kind))) runsByKind[name]!++;
    if (result.findings.length === 0) continue;
    const small = await shrink({ seed, plan, script, finding: result.findings[0]! }, kinds);
    const failure = {
      ...small,
      line: replayLine({ ...small, isWhole: small.script.length === script.length, kinds }),
    };
    failures.push(failure);
    options.onFailure?.(failure);
    if (failures.length >= failuresMax) break;
  }
  return { ...sums, runsByKind, failures };
}

/** Runs the run of a seed again. `keep`: only these steps. */
export async function replay(
  seed: number,
  kinds: readonly SimulationKind[],
  keep: readonly number[] | null = null,
): Promise<{ readonly findings: readonly string[]; readonly stack: string; readonly trace: string }> {
  const { plan, script } = runOfSeed(seed, kinds);
  const kept = keep === null ? script : script.filter(({ index }) => keep.includes(index));
  const { findings, trace } = await simulate(plan, kept, seed, kinds);
  return { findings, stack: stackText(plan.top), trace };
}
