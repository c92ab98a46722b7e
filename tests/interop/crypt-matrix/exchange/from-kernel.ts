import { isCevError } from "@cev/core";
import type { Device } from "@cev/core";
import type { SharedDisk } from "../../matrix/shared-disk.ts";
import { hashText } from "../../matrix/hash.ts";
import { Random } from "../../src/random.ts";
import type { CryptCase } from "../cases.ts";
import { recipeOf } from "../recipe.ts";
import type { Recipe } from "../recipe.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import { kindOf } from "../verdict.ts";
import type { Verdict, Way } from "../verdict.ts";
import { sha256 } from "../../matrix/hash.ts";
import { contentOf, contentStart } from "./content.ts";
import { openCrypt } from "./device.ts";
import type { CryptImages } from "./device.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer, KernelJob } from "./oracle-batch.ts";

/** A device of the matrix that exists, and what its places hold. */
export interface MadeCrypt {
  readonly one: CryptCase;
  readonly recipe: Recipe;
  readonly images: CryptImages;
  readonly content: Uint8Array;
}

/** What the kernel was asked to make; `read` gives the images. */
export interface KernelMade {
  readonly one: CryptCase;
  readonly answer: KernelAnswer;
  readonly read: () => MadeCrypt;
}

/** Has cryptsetup make devices on a shared disk and the kernel fill them. The images are read when they are asked for. */
export async function makeInKernel(
  folder: string,
  disk: SharedDisk,
  cases: readonly CryptCase[],
): Promise<readonly KernelMade[]> {
  const jobs = cases.map((one) => jobOf("make", one, recipeOf(one), disk));
  disk.finish();
  const answers = await runInKernel(folder, disk, jobs);
  return jobs.map(({ one, recipe, data, header }, number) => ({
    one,
    answer: answers[number]!,
    read: () => ({
      one,
      recipe,
      images: { data: disk.read(data), header: header === null ? null : disk.read(header) },
      content: contentOf(recipe, contentStart(one.id).made),
    }),
  }));
}

/** Puts a device on the shared disk. */
export function jobOf(call: KernelJob["call"], one: CryptCase, recipe: Recipe, disk: SharedDisk): KernelJob {
  const data = disk.add(recipe.imageSize);
  const header = recipe.headerSize === null ? null : disk.add(recipe.headerSize);
  return { call, one, recipe, data, header };
}

/** Reads a device that cryptsetup made; its images stay as they are. */
export async function readCrypt(made: MadeCrypt, answer: KernelAnswer): Promise<Verdict> {
  const { one, recipe, images, content } = made;
  return judged("read", one, answer.log, async () => {
    const failures: string[] = [];
    if (answer.size !== recipe.plainSize)
      failures.push(`the kernel's device has ${answer.size} bytes, not ${recipe.plainSize}`);
    const before = hashOf(images);
    await using opened = await openCrypt(one, recipe, images, { isReadOnly: true });
    failures.push(...(await contentFailures(opened.device, recipe, content)));
    if (opened.changeCount() > 0)
      failures.push(`${opened.changeCount()} requests would have changed the device`);
    if (hashOf(images) !== before) failures.push("the device was written");
    return failures;
  });
}

/** What is wrong with what the places of a plaintext hold. */
export async function contentFailures(
  device: Device,
  { places, plainSize }: Recipe,
  content: Uint8Array,
): Promise<string[]> {
  if (device.size !== plainSize) return [`${device.size} bytes long, not ${plainSize}`];
  let at = 0;
  for (const { offset, length } of places) {
    const wanted = content.subarray(at, at + length);
    const found = await device.read(offset, length);
    at += length;
    if (Buffer.compare(found, wanted) === 0) continue;
    const first = found.findIndex((byte, index) => byte !== wanted[index]);
    const wrongCount = found.reduce((count, byte, index) => count + (byte === wanted[index] ? 0 : 1), 0);
    return [`other bytes from ${offset + first} on (${wrongCount} in the ${length} bytes at ${offset})`];
  }
  return [];
}

/** Runs one case to its verdict: what cev may refuse, and refuses by name, has passed. */
export async function judged(
  way: Way,
  one: CryptCase,
  log: string,
  body: () => Promise<readonly string[]>,
): Promise<Verdict> {
  const verdict = { way, kind: kindOf(one), id: one.id, isRefused: false, failures: [], log };
  try {
    return { ...verdict, failures: await body() };
  } catch (error) {
    if (isRefusal(error, one)) return { ...verdict, isRefused: true };
    return { ...verdict, failures: [failureOf(error)] };
  }
}

/** Whether an error says by name what of this case is not known, and need not be. */
function isRefusal(error: unknown, { encryption, hash, foreign }: CryptCase): boolean {
  if (!isCevError(error) || !["CEV_UNKNOWN_FEATURE", "CEV_NOT_SUPPORTED"].includes(error.code)) return false;
  const names = foreign === "cipher" ? encryption.split(/[-:,()]/) : foreign === "hash" ? [hash] : [];
  return names.some((name) => error.message.includes(name));
}

/** A source of chance for one case and way. */
export function chanceOf(way: Way, { id }: CryptCase, seed: number): Random {
  return new Random(hashText(`${way} ${id} ${seed}`));
}

function hashOf({ data, header }: CryptImages): string {
  return `${sha256(data)} ${header === null ? "" : sha256(header)}`;
}
