import { Random } from "../random.ts";
import { kept } from "./keep.ts";
import type { Keep } from "./keep.ts";
import type { SimulationKind } from "./kind.ts";
import { drawStack, layersOf, stackText } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import { replayLine } from "./replay-line.ts";
import type { SeedRun } from "./replay-line.ts";
import { emptyReport, mergeReports } from "./report.ts";
import type { CampaignReport } from "./report.ts";
import type { SimulationResult } from "./result.ts";
import { simulate } from "./run.ts";
import { drawScript } from "./script.ts";
import { seedOf } from "./seed.ts";
import { shrink } from "./shrink.ts";
import type { Shrinkable } from "./shrink.ts";

/** A run that found something, as small as it could be made. */
export interface SimulationFailure extends Shrinkable {
  /** One line that says what is wrong and how to run it again. */
  readonly line: string;
}

/** Settings of a campaign. */
export interface CampaignOptions {
  /** Of the first run. */
  readonly seed: number;
  /** From one run to the next: campaigns side by side take every second seed, say. Default 1. */
  readonly seedStep?: number;
  readonly kinds: readonly SimulationKind[];
  /** Lines name the kinds, since there are others. */
  readonly namesKinds?: boolean;
  /** It ends after so many steps at least. Default: never. */
  readonly stepsMax?: number;
  /** It ends with the first run that is over when this says so. */
  readonly isOver?: () => boolean;
  /** After so many failures. Default 1. */
  readonly failuresMax?: number;
  readonly onFailure?: (failure: SimulationFailure) => void;
  /** Before each run. */
  readonly onRun?: (seed: number, report: CampaignReport) => void;
}

/** The stack and the work that a seed stands for, with these kinds. */
export function runOfSeed(seed: number, kinds: readonly SimulationKind[]): SeedRun {
  const plan = drawStack(new Random(seedOf(seed, "stack")), kinds);
  const named = new Map(kinds.map((kind) => [kind.name, kind]));
  return { plan, script: drawScript(new Random(seedOf(seed, "script")), plan, named) };
}

/** Runs seed after seed. */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const { kinds, stepsMax = Infinity, isOver = () => false, failuresMax = 1, seedStep = 1 } = options;
  let report = emptyReport(kinds.map(({ name }) => name));
  for (let seed = options.seed; report.stepCount < stepsMax && !isOver(); seed += seedStep) {
    options.onRun?.(seed, report);
    const whole = runOfSeed(seed, kinds);
    const result = await simulate(whole.plan, whole.script, seed, kinds);
    report = mergeReports(report, reportOf(whole.plan, result));
    const [finding] = result.findings;
    if (finding === undefined) continue;
    const small = await shrink({ seed, ...whole, finding }, kinds);
    const { namesKinds = false } = options;
    const failure = { ...small, line: replayLine({ ...small, whole, kinds, namesKinds }) };
    report = { ...report, failures: [...report.failures, failure] };
    options.onFailure?.(failure);
    if (report.failures.length >= failuresMax) break;
  }
  return report;
}

/** Of one run. What failed for the most part, as it had to, shows nothing: it counts as none. */
function reportOf(plan: StackPlan, result: SimulationResult): CampaignReport {
  const { stepCount, requestCount, cutCount, excusedCount, turnCount, findings } = result;
  if (findings.length === 0 && excusedCount > requestCount / 2)
    return { ...emptyReport([]), turnCount, redrawnCount: 1 };
  const findingCount = findings.length > 0 ? 1 : 0;
  const sums = { runCount: 1, stepCount, cutCount, excusedCount, findingCount };
  const names = new Set(layersOf(plan.top).map(({ kind }) => kind));
  return {
    ...{ runCount: 1, stepCount, requestCount, cutCount, excusedCount, turnCount, redrawnCount: 0 },
    findingCount,
    kinds: Object.fromEntries([...names].map((name) => [name, sums])),
    failures: [],
  };
}

/** What is run again, and what came of it. */
export interface ReplayResult {
  readonly findings: readonly string[];
  readonly stack: string;
  readonly trace: string;
}

/** Runs the run of a seed again. `keep`: only these steps; `stack`: of another stack. */
export async function replay(
  seed: number,
  kinds: readonly SimulationKind[],
  { keep = null, stack = null }: { readonly keep?: Keep | null; readonly stack?: StackPlan | null } = {},
): Promise<ReplayResult> {
  const { plan, script } = runOfSeed(seed, kinds);
  const used = stack ?? plan;
  const steps = keep === null ? script : kept(script, keep);
  const { findings, trace } = await simulate(used, steps, seed, kinds);
  return { findings, stack: stackText(used.top), trace };
}
