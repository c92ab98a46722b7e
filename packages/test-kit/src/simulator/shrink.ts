import type { SimulationKind } from "./kind.ts";
import type { StackPlan } from "./plan.ts";
import { simulate } from "./run.ts";
import type { Step } from "./script.ts";

/** A run that found something. */
export interface Shrinkable {
  readonly seed: number;
  readonly plan: StackPlan;
  readonly script: readonly Step[];
  readonly finding: string;
}

const RUNS_MAX = 200;

/**
 * Leaves out steps as long as the same is found, at most 200 runs. Data and order of the steps that stay are as they were, so
 * that those left are named by their numbers.
 */
export async function shrink<T extends Shrinkable>(
  failure: T,
  kinds: readonly SimulationKind[],
  runsMax: number = RUNS_MAX,
): Promise<T> {
  const wanted = classOf(failure.finding);
  let { script, finding } = failure;
  let runCount = 0;
  const tried = async (shorter: readonly Step[]): Promise<boolean> => {
    if (runCount++ >= runsMax) return false;
    const result = await simulate(failure.plan, shorter, failure.seed, kinds);
    const found = result.findings.find((one) => classOf(one) === wanted);
    if (found === undefined) return false;
    // What comes after the step in which it was found does not matter.
    const last = shorter.findIndex(({ index }) => index === result.stepIndex);
    script = last < 0 ? shorter : shorter.slice(0, last + 1);
    finding = found;
    return true;
  };
  await tried(script);
  for (
    let length = Math.ceil(script.length / 2);
    length >= 1;
    length = length === 1 ? 0 : Math.ceil(length / 2)
  ) {
    for (let start = 0; start < script.length && runCount < runsMax;) {
      const shorter = script.toSpliced(start, length);
      if (!(await tried(shorter))) start += length;
    }
  }
  return { ...failure, script, finding };
}

/** What is wrong, wherever it is: numbers do not count. */
function classOf(finding: string): string {
  return finding.replaceAll(/\d+/g, "0");
}
