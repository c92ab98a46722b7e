import { ownRole } from "@cev/raid";
import { Random } from "../src/random.ts";
import { sha256 } from "../matrix/hash.ts";
import { examineBitmapFailures, examineFailures } from "./examine.ts";
import { hashText } from "../matrix/hash.ts";
import { openArray, superblockOf } from "./open-array.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer } from "./oracle-batch.ts";
import { recipeOf } from "./recipe.ts";
import type { SharedDisk } from "../matrix/shared-disk.ts";
import { survivableSets } from "./survival.ts";
import { failureOf } from "../matrix/failure-of.ts";
import type { Verdict } from "./verdict.ts";
import type { WrittenArray } from "./written.ts";

/** Has the kernel judge arrays that cev has written, on a shared disk of their own. */
export async function judgeInKernel(
  folder: string,
  disk: SharedDisk,
  written: readonly WrittenArray[],
): Promise<Verdict[]> {
  const ready = written.filter(({ failures }) => failures.length === 0);
  const jobs = ready.map(({ array, images, absent }) => ({
    call: "judge" as const,
    args: [
      `${absent.length}`,
      // With a bitmap the kernel has to take back a member that was away, and copy only what it missed.
      recipeOf(array).bitmap === null ? "--add" : "--re-add",
      absent.map((index) => index + 1).join(" "),
    ],
    members: images.map((bytes) => disk.add(bytes.length)),
  }));
  disk.finish();
  for (const [number, { images }] of ready.entries())
    images.forEach((bytes, index) => disk.write(jobs[number]!.members[index]!, bytes));
  const answers = ready.length === 0 ? [] : await runInKernel(folder, disk, jobs);
  const verdicts = written
    .filter(({ failures }) => failures.length > 0)
    .map(({ way, array, missing, failures, story }) => ({ way, array, missing, failures, log: story }));
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
    const { way, array, missing, story } = one;
    verdicts.push({ way, array, missing, failures, log: `${story}\n${answer.log}` });
  }
  return verdicts;
}

/** What the kernel has put in order is read by cev once more, without a set of members that chance decides. */
async function readBack(one: WrittenArray, disks: readonly Uint8Array[]): Promise<string[]> {
  const random = new Random(hashText(`back ${one.array.id} ${one.missing.join(",")}`));
  const without = random.pick(survivableSets(one.array));
  try {
    // A member that was added may have another place than before.
    const roles = await Promise.all(
      disks.map(async (bytes) => ownRole(await superblockOf(bytes, "a member"))),
    );
    const images = roles.map((_, index) => disks[roles.indexOf(index)]!);
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
  { absent, sha256: expected }: WrittenArray,
  { isOk, findings, log }: KernelAnswer,
): string[] {
  const failures: string[] = [];
  if (!isOk) failures.push(`the kernel's judgement ended early: ${lastLines(log)}`);
  const before = findings.get("before");
  if (before !== undefined && before !== expected) failures.push("the kernel reads other bytes");
  const after = findings.get("after");
  if (absent.length > 0 && after !== undefined && after !== expected)
    failures.push("the kernel reads other bytes once the missing members are back");
  const mismatches = findings.get("mismatches") ?? "0";
  if (mismatches !== "0") failures.push(`check finds mismatch_cnt ${mismatches}`);
  return failures;
}

function lastLines(log: string): string {
  return log.trim().split("\n").slice(-2).join("; ");
}
