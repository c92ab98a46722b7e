import { runBatches, withDisk } from "../matrix/run-batches.ts";
import { byChance } from "../matrix/by-chance.ts";
import type { ArrayCase } from "./cases.ts";
import { CONTENT } from "./content.ts";
import { createImages } from "./created.ts";
import { makeInKernel, readWithout } from "./from-kernel.ts";
import { recipeOf } from "./recipe.ts";
import { survivableSets } from "./survival.ts";
import { judgeInKernel } from "./to-kernel.ts";
import type { Verdict, Way } from "./verdict.ts";
import { writeArray } from "./written.ts";
import type { WrittenArray } from "./written.ts";

const MIB = 1024 * 1024;
const BATCH_SIZE_MAX = 400 * MIB;
const BATCH_MEMBERS_MAX = 200;

/** What of the matrix is to be run, and how. */
export interface RunPlan {
  readonly arrays: readonly ArrayCase[];
  readonly ways: readonly Way[];
  readonly seed: number;
  /** How many kernels run at once. */
  readonly jobs: number;
  /** Exactly this set of missing members; null: all that the level survives. */
  readonly missing: readonly number[] | null;
  /** For the ways that write: so many sets of missing members per array at most. */
  readonly setsMax: number;
  /** A folder that exists; what is made in it is removed, except where `isKept`. */
  readonly folder: string;
  readonly isKept: boolean;
  readonly report: (verdicts: readonly Verdict[]) => void;
}

/** One case that writes: an array, and what is missing from it. */
interface WriteTask {
  readonly array: ArrayCase;
  readonly missing: readonly number[];
}

/** Runs a part of the matrix, in batches of as many arrays as one kernel takes. */
export async function runMatrix(plan: RunPlan): Promise<void> {
  const batches: (() => Promise<void>)[] = [];
  if (plan.ways.includes("create")) {
    const tasks = plan.arrays.flatMap((array) => tasksOf(plan, array, plan.setsMax));
    for (const batch of inBatches(tasks, ({ array }) => array))
      batches.push(() => createAndJudge(plan, batch));
  }
  if (plan.ways.includes("read") || plan.ways.includes("write")) {
    for (const arrays of inBatches(plan.arrays, (array) => array))
      batches.push(() => readAndWrite(plan, arrays));
  }
  await runBatches(batches, plan.jobs);
}

/** The kernel makes the arrays; cev reads them, and writes to them. */
async function readAndWrite(plan: RunPlan, arrays: readonly ArrayCase[]): Promise<void> {
  const written: WrittenArray[] = [];
  await withDisk(plan, CONTENT, async (folder, disk) => {
    for (const { array, answer, read } of await makeInKernel(folder, disk, arrays)) {
      const made = read();
      if (made === null) {
        const failures = [`the kernel does not make it: ${answer.log.trim()}`];
        plan.report([{ way: "read", array, missing: [], failures, log: answer.log }]);
        continue;
      }
      if (plan.ways.includes("read")) plan.report(await readWithout(made, setsOf(plan, array), answer));
      if (!plan.ways.includes("write")) continue;
      // One set, chosen by the seed: the way `create` has them all.
      for (const { missing } of tasksOf(plan, array, 1)) {
        const images = made.images.map((bytes) => bytes.slice());
        written.push(await writeArray("write", array, images, missing, plan.seed));
      }
    }
  });
  if (written.length > 0)
    await withDisk(plan, CONTENT, async (folder, disk) =>
      plan.report(await judgeInKernel(folder, disk, written)),
    );
}

/** cev makes the arrays and writes to them; the kernel judges. */
async function createAndJudge(plan: RunPlan, tasks: readonly WriteTask[]): Promise<void> {
  const written: WrittenArray[] = [];
  for (const { array, missing } of tasks) {
    const images = await createImages(array);
    written.push(await writeArray("create", array, images, missing, plan.seed));
  }
  await withDisk(plan, CONTENT, async (folder, disk) =>
    plan.report(await judgeInKernel(folder, disk, written)),
  );
}

function setsOf(plan: RunPlan, array: ArrayCase): readonly (readonly number[])[] {
  const sets = survivableSets(array);
  if (plan.missing === null) return sets;
  const wanted = plan.missing.join(",");
  return sets.filter((missing) => missing.join(",") === wanted);
}

function tasksOf(plan: RunPlan, array: ArrayCase, setsMax: number): WriteTask[] {
  const sets = setsOf(plan, array);
  const chosen =
    sets.length <= setsMax
      ? sets
      : byChance(sets, (set) => `${array.id}-${set.join(",")}`, plan.seed).slice(0, setsMax);
  return chosen.map((missing) => ({ array, missing }));
}

/** Cuts a list into runs whose arrays fit on one disk together. */
function inBatches<T>(items: readonly T[], arrayOf: (item: T) => ArrayCase): T[][] {
  const batches: T[][] = [];
  let size = 0;
  let members = 0;
  for (const item of items) {
    const { sizes } = recipeOf(arrayOf(item));
    const itemSize = sizes.reduce((sum, one) => sum + one, 0);
    if (
      batches.length === 0 ||
      size + itemSize > BATCH_SIZE_MAX ||
      members + sizes.length > BATCH_MEMBERS_MAX
    ) {
      batches.push([]);
      size = 0;
      members = 0;
    }
    batches.at(-1)!.push(item);
    size += itemSize;
    members += sizes.length;
  }
  return batches;
}
