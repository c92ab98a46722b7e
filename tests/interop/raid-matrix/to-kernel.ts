import { Random } from "../src/random.ts";
import type { ArrayCase } from "./cases.ts";
import { sha256 } from "./content.ts";
import { examineBitmapFailures, examineFailures } from "./examine.ts";
import { hashText } from "./hash.ts";
import { openArray } from "./open-array.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer } from "./oracle-batch.ts";
import { recipeOf } from "./recipe.ts";
import { workRandomly } from "./random-work.ts";
import type { SharedDisk } from "./shared-disk.ts";
import { survivableSets } from "./survival.ts";
import { failureOf } from "./verdict.ts";
import type { Verdict, Way } from "./verdict.ts";

const WRITES = 40;

/** An array that cev has written, for the kernel to judge. */
export interface WrittenArray {
  readonly way: Way;
  readonly array: ArrayCase;
  /** Those that were not there for the last writes. */
  readonly missing: readonly number[];
  /** By member index, also those that were not there. */
  readonly images: readonly Uint8Array[];
  /** The hash of what the array holds. */
  readonly sha256: string;
  /** What went wrong before the kernel got it. */
  readonly failures: readonly string[];
}

/**
 * Writes at random to an array on these images, which are changed: first with all members, then without those in
 * `missing`; each time it is opened anew and closed.
 */
export async function writeArray(
  way: Way,
  array: ArrayCase,
  images: readonly Uint8Array[],
  missing: readonly number[],
  seed: number,
): Promise<WrittenArray> {
  const random = new Random(hashText(`${seed} ${way} ${array.id} ${missing.join(",")}`));
  const failures: string[] = [];
  let content: Uint8Array = new Uint8Array();
  try {
    for (const absent of missing.length === 0 ? [[]] : [[], missing]) {
      const { device } = await openArray(images, absent, random, { isReadOnly: false });
      try {
        const found = await device.read(0, device.size);
        if (absent.length > 0 && Buffer.compare(found, content) !== 0)
          failures.push("what was written reads otherwise with members missing");
        content = found;
        await workRandomly(device, content, random, WRITES);
        if (Buffer.compare(await device.read(0, device.size), content) !== 0)
          failures.push(`what was written reads otherwise, missing: ${absent.join(",") || "none"}`);
      } finally {
        await device.close();
      }
    }
  } catch (error) {
    failures.push(failureOf(error));
  }
  return { way, array, missing, images, sha256: sha256(content), failures };
}

/** Has the kernel judge arrays that cev has written, on a shared disk of their own. */
export async function judgeInKernel(
  folder: string,
  disk: SharedDisk,
  written: readonly WrittenArray[],
): Promise<Verdict[]> {
  const ready = written.filter(({ failures }) => failures.length === 0);
  const jobs = ready.map(({ array, images, missing }) => ({
    call: "judge" as const,
    args: [
      `${missing.length}`,
      // With a bitmap the kernel has to take back a member that was away, and copy only what it missed.
      recipeOf(array).bitmap === null ? "--add" : "--re-add",
      missing.map((index) => index + 1).join(" "),
    ],
    members: images.map((bytes) => disk.add(bytes.length)),
  }));
  disk.finish();
  for (const [number, { images }] of ready.entries())
    images.forEach((bytes, index) => disk.write(jobs[number]!.members[index]!, bytes));
  const answers = ready.length === 0 ? [] : await runInKernel(folder, disk, jobs);
  const verdicts = written
    .filter(({ failures }) => failures.length > 0)
    .map(({ way, array, missing, failures }) => ({ way, array, missing, failures, log: "" }));
  for (const [number, one] of ready.entries()) {
    const answer = answers[number]!;
    const failures = await examineFailures(answer.sections.get("members as they came") ?? "", one.images);
    const bitmaps = answer.sections.get("bitmaps as they came");
    if (bitmaps !== undefined) failures.push(...(await examineBitmapFailures(bitmaps, one.images)));
    failures.push(...failuresOf(one, answer));
    if (failures.length === 0) {
      const images = jobs[number]!.members.map((member) => disk.read(member));
      failures.push(...(await readBack(one, images)));
    }
    const { way, array, missing } = one;
    verdicts.push({ way, array, missing, failures, log: answer.log });
  }
  return verdicts;
}

/** What the kernel has put in order is read by cev once more, without a set of members that chance decides. */
async function readBack(one: WrittenArray, images: readonly Uint8Array[]): Promise<string[]> {
  const random = new Random(hashText(`back ${one.array.id} ${one.missing.join(",")}`));
  const without = random.pick(survivableSets(one.array));
  try {
    const { device } = await openArray(images, without, random, { isReadOnly: true });
    try {
      if (sha256(await device.read(0, device.size)) === one.sha256) return [];
      return [`cev reads other bytes after the kernel had it, missing: ${without.join(",") || "none"}`];
    } finally {
      await device.close();
    }
  } catch (error) {
    return [failureOf(error)];
  }
}

function failuresOf(
  { missing, sha256: expected }: WrittenArray,
  { isOk, findings, log }: KernelAnswer,
): string[] {
  const failures: string[] = [];
  if (!isOk) failures.push(`the kernel's judgement ended early: ${lastLines(log)}`);
  const before = findings.get("before");
  if (before !== undefined && before !== expected) failures.push("the kernel reads other bytes");
  const after = findings.get("after");
  if (missing.length > 0 && after !== undefined && after !== expected)
    failures.push("the kernel reads other bytes once the missing members are back");
  const mismatches = findings.get("mismatches") ?? "0";
  if (mismatches !== "0") failures.push(`check finds mismatch_cnt ${mismatches}`);
  return failures;
}

function lastLines(log: string): string {
  return log.trim().split("\n").slice(-2).join("; ");
}
