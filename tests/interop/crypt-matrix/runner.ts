import { runBatches, withDisk } from "../matrix/run-batches.ts";
import type { CryptCase } from "./cases.ts";
import { runCrash } from "./crash/crash-way.ts";
import type { CrashCase } from "./crash/crash-way.ts";
import { CONTENT } from "./exchange/content.ts";
import { createCrypt } from "./exchange/create.ts";
import { judged, makeInKernel, readCrypt } from "./exchange/from-kernel.ts";
import type { MadeCrypt } from "./exchange/from-kernel.ts";
import { exchangeWithQemu, qemuCipher } from "./exchange/qemu.ts";
import { judgeInKernel, writeCrypt } from "./exchange/to-kernel.ts";
import type { WrittenCrypt } from "./exchange/to-kernel.ts";
import type { HeaderKind } from "./hostile/headers.ts";
import { runHostile } from "./hostile/hostile-way.ts";
import { runImages } from "./images/run-images.ts";
import { recipeOf } from "./recipe.ts";
import { kindOf } from "./verdict.ts";
import type { Verdict, Way } from "./verdict.ts";

/** Each is on a disk twice, with two images at most, and a disk has no more than 250. */
const BATCH_CASES_MAX = 60;

/** Of so many hostile headers that are opened, and of as many that are not, cryptsetup gives its opinion. */
const HOSTILE_JUDGED = 150;

const EXCHANGES: readonly Way[] = ["read", "write", "create"];

/** What of the matrix is to be run, and how. */
export interface RunPlan {
  readonly cases: readonly CryptCase[];
  readonly ways: readonly Way[];
  /** For the way `images`: the folder of cryptsetup's tests. */
  readonly suite: string | null;
  /** For the way `crash`: which operations, and so many power cuts of each. */
  readonly crashes: readonly CrashCase[];
  readonly cuts: number;
  /** For the way `hostile`: which headers, so many damaged JSON texts, and every so manieth damage. */
  readonly kinds: readonly HeaderKind[];
  readonly jsonCount: number;
  readonly stride: number;
  /** For `hostile`: every so manieth bit of both copies of a LUKS2 header. */
  readonly flips: number;
  readonly seed: number;
  /** How many kernels run at once. */
  readonly jobs: number;
  /** A folder that exists; what is made in it is removed, except where `isKept`. */
  readonly folder: string;
  readonly isKept: boolean;
  readonly report: (verdicts: readonly Verdict[]) => void;
}

/** Runs a part of the matrix, in batches of as many devices as one kernel takes in good time. */
export async function runMatrix(plan: RunPlan): Promise<void> {
  const batches: (() => Promise<void>)[] = [];
  for (let at = 0; at < plan.cases.length; at += BATCH_CASES_MAX) {
    const cases = plan.cases.slice(at, at + BATCH_CASES_MAX);
    if (EXCHANGES.some((way) => plan.ways.includes(way))) batches.push(() => exchange(plan, cases));
  }
  if (plan.ways.includes("qemu"))
    for (const one of plan.cases)
      if (qemuCipher(one) !== null)
        batches.push(async () => plan.report([await exchangeWithQemu(one, plan.folder, plan.seed)]));
  const { suite, seed, cuts, folder } = plan;
  if (plan.ways.includes("crash"))
    for (const one of plan.crashes)
      batches.push(async () =>
        plan.report([await runCrash(one, { seed, cuts, judged: Math.ceil(cuts / 10), folder })]),
      );
  const { jsonCount, stride, flips } = plan;
  if (plan.ways.includes("hostile"))
    for (const kind of plan.kinds)
      batches.push(async () =>
        plan.report([
          await runHostile(kind, { seed, jsonCount, stride, flips, judged: HOSTILE_JUDGED, folder }),
        ]),
      );
  if (plan.ways.includes("images") && suite !== null)
    batches.push(async () => plan.report(await runImages(suite, folder)));
  await runBatches(batches, plan.jobs);
}

/** One start of the kernel makes devices, and one judges what was written to them, and what cev has made. */
async function exchange(plan: RunPlan, cases: readonly CryptCase[]): Promise<void> {
  const written: WrittenCrypt[] = [];
  if (plan.ways.includes("read") || plan.ways.includes("write")) await readAndWrite(plan, cases, written);
  if (plan.ways.includes("create")) await create(plan, cases, written);
  await judge(plan, written);
}

/** cryptsetup makes the devices, the kernel fills them; cev reads them, and writes to them. */
async function readAndWrite(
  plan: RunPlan,
  cases: readonly CryptCase[],
  written: WrittenCrypt[],
): Promise<void> {
  await withDisk(plan, CONTENT, async (folder, disk) => {
    for (const { one, answer, read } of await makeInKernel(folder, disk, cases)) {
      if (!answer.isOk) {
        const failures = [`it is not made: ${answer.log.trim().split("\n").slice(-3).join("; ")}`];
        const { log } = answer;
        plan.report([{ way: "read", kind: kindOf(one), id: one.id, isRefused: false, failures, log }]);
        continue;
      }
      const made = read();
      if (plan.ways.includes("read")) plan.report([await readCrypt(made, answer)]);
      if (plan.ways.includes("write")) take(plan, written, await writeCrypt("write", made, plan.seed));
    }
  });
}

/** cev makes the devices and writes to them. */
async function create(plan: RunPlan, cases: readonly CryptCase[], written: WrittenCrypt[]): Promise<void> {
  for (const one of cases) {
    const recipe = recipeOf(one);
    let made: MadeCrypt | null = null;
    const verdict = await judged("create", one, "", async () => {
      made = await createCrypt(one, recipe, plan.seed);
      return [];
    });
    if (made === null) plan.report([verdict]);
    else take(plan, written, await writeCrypt("create", made, plan.seed));
  }
}

function take(plan: RunPlan, written: WrittenCrypt[], outcome: Verdict | WrittenCrypt): void {
  if ("images" in outcome) written.push(outcome);
  else plan.report([outcome]);
}

async function judge(plan: RunPlan, written: readonly WrittenCrypt[]): Promise<void> {
  if (written.length === 0) return;
  await withDisk(plan, CONTENT, async (folder, disk) =>
    plan.report(await judgeInKernel(folder, disk, written)),
  );
}
