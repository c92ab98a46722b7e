import { Random } from "../src/random.ts";
import type { ArrayCase } from "./cases.ts";
import { CONTENT, compareDevice, contentStart } from "./content.ts";
import { creationFailures } from "./created.ts";
import { examineFailures } from "./examine.ts";
import { hashText } from "../matrix/hash.ts";
import { openArray, superblockOf } from "./open-array.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer } from "./oracle-batch.ts";
import { isOldRaid0, mdadmOptions, recipeOf } from "./recipe.ts";
import type { SharedDisk } from "../matrix/shared-disk.ts";
import { failureOf } from "../matrix/failure-of.ts";
import type { Verdict } from "./verdict.ts";

/** An array that the kernel made, and what it holds. */
export interface KernelArray {
  readonly array: ArrayCase;
  /** By member index. */
  readonly images: readonly Uint8Array[];
  readonly content: Uint8Array;
}

/** What the kernel was asked to make of a case; `read` gives null where it failed. */
export interface KernelMade {
  readonly array: ArrayCase;
  readonly answer: KernelAnswer;
  readonly read: () => KernelArray | null;
}

/** Has the kernel make arrays on a shared disk and fill them. The images are read when they are asked for. */
export async function makeInKernel(
  folder: string,
  disk: SharedDisk,
  arrays: readonly ArrayCase[],
): Promise<readonly KernelMade[]> {
  const jobs = arrays.map((array) => {
    const recipe = recipeOf(array);
    const members = recipe.sizes.map((size) => disk.add(size));
    const args = [`${contentStart(array.id)}`, mdadmOptions(array, recipe).join(" ")];
    return { call: isOldRaid0(array) ? "become_raid0" : "create", args, members } as const;
  });
  disk.finish();
  const answers = await runInKernel(folder, disk, jobs);
  return arrays.map((array, number) => {
    const answer = answers[number]!;
    return {
      array,
      answer,
      read: () => {
        if (!answer.isOk) return null;
        const start = contentStart(array.id);
        const content = CONTENT.subarray(start, start + Number(answer.findings.get("size")));
        return { array, content, images: jobs[number]!.members.map((member) => disk.read(member)) };
      },
    };
  });
}

/** Reads an array that the kernel made, with each set of members missing; the images are not written. */
export async function readWithout(
  { array, images, content }: KernelArray,
  sets: readonly (readonly number[])[],
  answer: KernelAnswer,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const madeFailures = await examineFailures(
    answer.sections.get("members as the kernel left them") ?? "",
    images,
  );
  if (madeFailures.length === 0 && !isOldRaid0(array)) {
    const superblocks = await Promise.all(
      images.map((bytes, index) => superblockOf(bytes, `member ${index}`)),
    );
    madeFailures.push(...creationFailures(array, superblocks));
  }
  for (const missing of sets) {
    const failures = missing.length === 0 ? [...madeFailures] : [];
    const random = new Random(hashText(`${array.id} ${missing.join(",")}`));
    try {
      const { device } = await openArray(images, missing, random, { isReadOnly: true });
      try {
        const wrong = await compareDevice(device, content, random);
        if (wrong !== null) failures.push(wrong);
      } finally {
        await device.close();
      }
    } catch (error) {
      failures.push(failureOf(error));
    }
    verdicts.push({ way: "read", array, missing, failures, log: answer.log });
  }
  return verdicts;
}
