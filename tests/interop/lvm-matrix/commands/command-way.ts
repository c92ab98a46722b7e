import { Random } from "../../src/random.ts";
import { CONTENT } from "../../raid-matrix/content.ts";
import { withDisk } from "../../matrix/run-batches.ts";
import type { RunPlan } from "../runner.ts";
import type { Verdict } from "../verdict.ts";
import { judgeSequences, runSteps } from "./sequence.ts";
import type { Commanded } from "./sequence.ts";
import { shrink } from "./shrink.ts";
import { randomSteps } from "./steps.ts";
import type { Step } from "./steps.ts";

const BATCH = 6;
const TRIES_HERE_MAX = 150;
const TRIES_IN_KERNEL_MAX = 20;

/** Sequences of commands by number: the way `command`, in batches for one kernel each. */
export function commandBatches(plan: RunPlan, numbers: readonly number[]): (() => Promise<void>)[] {
  const batches: (() => Promise<void>)[] = [];
  for (let at = 0; at < numbers.length; at += BATCH)
    batches.push(() => runBatch(plan, numbers.slice(at, at + BATCH)));
  return batches;
}

async function runBatch(plan: RunPlan, numbers: readonly number[]): Promise<void> {
  const sequences: {
    readonly number: number;
    readonly steps: readonly Step[];
    readonly commanded: Commanded;
  }[] = [];
  for (const number of numbers) {
    const steps = stepsOf(plan, number);
    sequences.push({ number, steps, commanded: await runSteps(steps, number) });
  }
  const judged = await judge(
    plan,
    sequences.map(({ commanded }) => commanded),
  );
  const verdicts: Verdict[] = [];
  for (const [index, { number, steps, commanded }] of sequences.entries()) {
    const { failures, log } = judged[index]!;
    const { doneCount, refusedCount } = commanded.world;
    const counted = `${doneCount} commands done, ${refusedCount} refused`;
    const found =
      failures.length === 0
        ? []
        : [...(await shortest(plan, number, steps, commanded)), counted, ...failures];
    verdicts.push({
      way: "command",
      type: "sequences of commands",
      id: `sequence-${number}`,
      failures: found,
      log: `${counted}\n${log}`,
    });
  }
  plan.report(verdicts);
}

/** The steps of a sequence, by its number and the seed of the run. */
function stepsOf({ seed, sequenceLength }: RunPlan, number: number): Step[] {
  return randomSteps(new Random(seed * 65_537 + number), sequenceLength);
}

async function judge(
  plan: RunPlan,
  commanded: readonly Commanded[],
): Promise<Awaited<ReturnType<typeof judgeSequences>>> {
  let judged: Awaited<ReturnType<typeof judgeSequences>> = [];
  await withDisk(plan, CONTENT, async (folder, disk) => {
    judged = await judgeSequences(folder, disk, commanded);
  });
  return judged;
}

/** The failure of the shortest part of a sequence that still fails. */
async function shortest(
  plan: RunPlan,
  number: number,
  steps: readonly Step[],
  { failure }: Commanded,
): Promise<readonly string[]> {
  if (failure !== null) {
    const short = await shrink(
      steps,
      async (some) => (await runSteps(some, number)).failure !== null,
      TRIES_HERE_MAX,
    );
    return [(await runSteps(short, number)).failure ?? failure];
  }
  const fails = async (some: readonly Step[]): Promise<boolean> => {
    const commanded = await runSteps(some, number);
    return commanded.failure === null && (await judge(plan, [commanded]))[0]!.failures.length > 0;
  };
  const short = await shrink(steps, fails, TRIES_IN_KERNEL_MAX);
  const commanded = await runSteps(short, number);
  const [judged] = await judge(plan, [commanded]);
  return [`${judged!.failures[0] ?? "not always"}\n  after:\n    ${commanded.world.story.join("\n    ")}`];
}
