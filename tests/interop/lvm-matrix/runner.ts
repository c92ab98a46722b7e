import { makeInKernel, readAll } from "./from-kernel.ts";
import type { KernelGroup, KernelMade } from "./from-kernel.ts";
import { withDisk } from "../raid-matrix/runner.ts";
import type { GroupShape } from "./shapes.ts";
import type { Verdict, Way } from "./verdict.ts";
import { judgeInKernel, writeGroup } from "./written.ts";
import type { WrittenGroup } from "./written.ts";

const BATCH_SHAPES_MAX = 8;

/** What of the matrix is to be run, and how. */
export interface RunPlan {
  readonly shapes: readonly GroupShape[];
  readonly ways: readonly Way[];
  readonly seed: number;
  /** For the way `command`: which sequences, and how many steps each. */
  readonly sequences: readonly number[];
  readonly sequenceLength: number;
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
  if (plan.ways.includes("command")) {
    const { commandBatches } = await import("./commands/command-way.ts");
    batches.push(...commandBatches(plan, plan.sequences));
  }
  const queue = batches.values();
  await Promise.all(
    Array.from({ length: plan.jobs }, async () => {
      for (const batch of queue) await batch();
    }),
  );
}

/** The kernel makes the groups; cev reads them, and writes to them; the kernel judges what was written. */
async function readAndWrite(plan: RunPlan, shapes: readonly GroupShape[]): Promise<void> {
  const written: WrittenGroup[] = [];
  await withDisk(plan, async (folder, disk) => {
    for (const made of await makeInKernel(folder, disk, shapes)) {
      const group = await readOne(plan, made);
      if (group !== null && plan.ways.includes("write")) written.push(await writeGroup(group, plan.seed));
    }
  });
  if (written.length > 0)
    await withDisk(plan, async (folder, disk) => plan.report(await judgeInKernel(folder, disk, written)));
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
