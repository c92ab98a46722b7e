import { changeGolden } from "./changed.ts";
import { commandBatches } from "./commands/command-way.ts";
import { crashBatches } from "./crash/crash-way.ts";
import type { Scene } from "./crash/scenes.ts";
import { makeInKernel, readAll } from "./from-kernel.ts";
import type { KernelGroup, KernelMade } from "./from-kernel.ts";
import { CONTENT } from "../raid-matrix/content.ts";
import { runBatches, withDisk } from "../matrix/run-batches.ts";
import { runHostile } from "./hostile/hostile-way.ts";
import type { GroupShape } from "./shapes.ts";
import type { Verdict, Way } from "./verdict.ts";
import { judgeInKernel, writeGroup } from "./written.ts";
import type { WrittenGroup } from "./written.ts";

const BATCH_SHAPES_MAX = 8;
/** So many texts with one word or line changed, for each golden set. */
const REWRITES = 2000;

/** What of the matrix is to be run, and how. */
export interface RunPlan {
  readonly shapes: readonly GroupShape[];
  readonly ways: readonly Way[];
  readonly seed: number;
  /** For the way `command`: which sequences, and how many steps each. */
  readonly sequences: readonly number[];
  readonly sequenceLength: number;
  /** For the way `crash`: which commands, and of how many states of each LVM2 gives its opinion. */
  readonly scenes: readonly Scene[];
  readonly crashSample: number;
  /** How many kernels run at once. */
  readonly jobs: number;
  /** Just this physical volume missing; null: none; undefined: every case. */
  readonly missing: number | null | undefined;
  /** A folder that exists; what is made in it is removed, except where `isKept`. */
  readonly folder: string;
  readonly isKept: boolean;
  readonly report: (verdicts: readonly Verdict[]) => void;
}

/** Runs a part of the matrix, in batches of as many groups as one kernel takes in good time. */
export async function runMatrix(plan: RunPlan): Promise<void> {
  const batches: (() => Promise<void>)[] = [];
  if (plan.ways.includes("read") || plan.ways.includes("write"))
    for (let at = 0; at < plan.shapes.length; at += BATCH_SHAPES_MAX) {
      const shapes = plan.shapes.slice(at, at + BATCH_SHAPES_MAX);
      batches.push(() => readAndWrite(plan, shapes));
    }
  if (plan.ways.includes("command")) batches.push(...commandBatches(plan, plan.sequences));
  if (plan.ways.includes("crash")) batches.push(...crashBatches(plan, plan.scenes, plan.crashSample));
  if (plan.ways.includes("hostile"))
    for (const shape of plan.shapes)
      if (shape.golden !== null)
        batches.push(async () =>
          plan.report([await runHostile(shape, { stride: 1, rewriteCount: REWRITES, seed: plan.seed })]),
        );
  if (plan.ways.includes("change")) {
    const golden = plan.shapes.filter((shape) => shape.golden !== null);
    for (let at = 0; at < golden.length; at += BATCH_SHAPES_MAX)
      batches.push(() => change(plan, golden.slice(at, at + BATCH_SHAPES_MAX)));
  }
  await runBatches(batches, plan.jobs);
}

/** The kernel makes the groups; cev reads them, and writes to them; the kernel judges what was written. */
async function readAndWrite(plan: RunPlan, shapes: readonly GroupShape[]): Promise<void> {
  const written: WrittenGroup[] = [];
  await withDisk(plan, CONTENT, async (folder, disk) => {
    for (const made of await makeInKernel(folder, disk, shapes)) {
      const group = await readOne(plan, made);
      if (group !== null && plan.ways.includes("write")) written.push(await writeGroup(group, plan.seed));
    }
  });
  if (written.length > 0)
    await withDisk(plan, CONTENT, async (folder, disk) =>
      plan.report(await judgeInKernel(folder, disk, written)),
    );
}

/** cev's commands change groups that the kernel made; the kernel judges. */
async function change(plan: RunPlan, shapes: readonly GroupShape[]): Promise<void> {
  const changed: WrittenGroup[] = [];
  for (const shape of shapes) changed.push(await changeGolden(shape, plan.seed));
  await withDisk(plan, CONTENT, async (folder, disk) =>
    plan.report(await judgeInKernel(folder, disk, changed)),
  );
}

async function readOne(
  { ways, missing, report }: RunPlan,
  { shape, answer, read }: KernelMade,
): Promise<KernelGroup | null> {
  const group = read();
  if (group === null) {
    const failures = [`the kernel does not make it: ${answer.log.trim().split("\n").slice(-3).join("; ")}`];
    report([{ way: "read", type: shape.type, id: shape.name, failures, log: answer.log }]);
    return null;
  }
  const isWanted = (one: number | null): boolean => missing === undefined || missing === one;
  if (ways.includes("read")) report(await readAll(group, answer, isWanted));
  return group;
}
