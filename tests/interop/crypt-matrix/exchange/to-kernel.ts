import type { SharedDisk } from "../../matrix/shared-disk.ts";
import type { CryptCase } from "../cases.ts";
import type { Recipe } from "../recipe.ts";
import { kindOf } from "../verdict.ts";
import type { Verdict, Way } from "../verdict.ts";
import { sha256 } from "../../matrix/hash.ts";
import { contentOf, contentStart } from "./content.ts";
import { openCrypt } from "./device.ts";
import { chanceOf, contentFailures, jobOf, judged } from "./from-kernel.ts";
import type { MadeCrypt } from "./from-kernel.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer } from "./oracle-batch.ts";

const WRITES = 40;

/** A device that cev has written to, to be judged. */
export interface WrittenCrypt extends MadeCrypt {
  readonly way: Way;
}

/** Writes at random through the layer, twice, closing it in between. The images and the content are changed. */
export async function writeCrypt(way: Way, made: MadeCrypt, seed: number): Promise<Verdict | WrittenCrypt> {
  const { one, recipe, images, content } = made;
  const random = chanceOf(way, one, seed);
  const verdict = await judged(way, one, "", async () => {
    for (let round = 0; round < 2; round++) {
      await using opened = await openCrypt(one, recipe, images, { isReadOnly: false });
      const { device } = opened;
      // Of a device that cev has just made only what it writes is known.
      if (round === 0 && way === "create") {
        for (const { place, at } of placesOf(recipe))
          await device.write(place.offset, content.subarray(at, at + place.length));
      }
      for (let count = 0; count < WRITES / 2; count++) {
        const { place, at } = random.pick(placesOf(recipe));
        const from = random.below(place.length);
        const length = Math.min(place.length - from, 1 + random.below(random.pick([600, 5000, 40_000])));
        const bytes = random.bytes(length);
        content.set(bytes, at + from);
        await device.write(place.offset + from, bytes);
      }
      await device.flush();
      const failures = await contentFailures(device, recipe, content);
      if (failures.length > 0) return failures.map((failure) => `as written: ${failure}`);
    }
    return [];
  });
  return verdict.isRefused || verdict.failures.length > 0 ? verdict : { ...made, way };
}

/** Has cryptsetup and the kernel judge what cev has written, and cev what the kernel writes then. */
export async function judgeInKernel(
  folder: string,
  disk: SharedDisk,
  written: readonly WrittenCrypt[],
): Promise<Verdict[]> {
  const jobs = written.map(({ one, recipe }) => jobOf("judge", one, recipe, disk));
  disk.finish();
  for (const [number, { images }] of written.entries()) {
    const { data, header } = jobs[number]!;
    disk.write(data, images.data);
    if (header !== null) disk.write(header, images.header!);
  }
  const answers = await runInKernel(folder, disk, jobs);
  const verdicts: Verdict[] = [];
  for (const [number, { way, one, recipe, content }] of written.entries()) {
    const { data, header } = jobs[number]!;
    const answer = answers[number]!;
    const found = { data: disk.read(data), header: header === null ? null : disk.read(header) };
    const kernelFailures = judgementFailures(answer, recipe, content);
    if (kernelFailures.length > 0) {
      verdicts.push(failed(way, one, answer, kernelFailures));
      continue;
    }
    const verdict = await judged(way, one, answer.log, async () => {
      await using opened = await openCrypt(one, recipe, found, { isReadOnly: true });
      const second = contentOf(recipe, contentStart(one.id).second);
      const failures = await contentFailures(opened.device, recipe, second);
      return failures.map((failure) => `what the kernel wrote then: ${failure}`);
    });
    verdicts.push(verdict);
  }
  return verdicts;
}

function failed(way: Way, one: CryptCase, { log }: KernelAnswer, failures: readonly string[]): Verdict {
  return { way, kind: kindOf(one), id: one.id, isRefused: false, failures, log };
}

function judgementFailures(
  { isOk, sha256: found, size, log }: KernelAnswer,
  recipe: Recipe,
  content: Uint8Array,
): string[] {
  const failures: string[] = [];
  if (!isOk) failures.push(`the judgement ended early: ${log.trim().split("\n").slice(-2).join("; ")}`);
  else if (size !== recipe.plainSize)
    failures.push(`the kernel's device has ${size} bytes, not ${recipe.plainSize}`);
  else if (found !== sha256(content)) failures.push("the kernel reads otherwise");
  return failures;
}

/** The places of a plaintext, with where in its content they begin. */
function placesOf({ places }: Recipe): { readonly place: Recipe["places"][number]; readonly at: number }[] {
  let at = 0;
  return places.map((place) => {
    const start = at;
    at += place.length;
    return { place, at: start };
  });
}
