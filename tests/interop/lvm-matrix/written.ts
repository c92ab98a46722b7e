import { hashText } from "../matrix/hash.ts";
import type { SharedDisk } from "../matrix/shared-disk.ts";
import { Random } from "../src/random.ts";
import { hashOfBytes } from "./from-kernel.ts";
import type { KernelGroup } from "./from-kernel.ts";
import { openGroup } from "./open-group.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer } from "./oracle-batch.ts";
import { closeWritten, openVolumes, volumeFaults, workOnVolumes } from "./random-volumes.ts";
import type { GroupShape } from "./shapes.ts";
import { failureOf } from "../matrix/failure-of.ts";
import type { Verdict, Way } from "./verdict.ts";

/** A group that cev has written to, to be judged. */
export interface WrittenGroup {
  readonly way: Way;
  readonly shape: GroupShape;
  readonly images: readonly Uint8Array[];
  /** By volume: the hash of what it ought to hold; null: a snapshot that is full. */
  readonly contents: ReadonlyMap<string, string | null>;
  readonly failures: readonly string[];
}

/** Opens a group for writing and works on all of its volumes at once, twice, closing it in between. The images are changed. */
export async function writeGroup(group: KernelGroup, seed: number): Promise<WrittenGroup> {
  const { shape, volumes } = group;
  const images = group.images.map((bytes) => bytes.slice());
  const random = new Random(hashText(`${shape.name} ${seed}`));
  const contents = new Map<string, string | null>();
  const failures: string[] = [];
  const names = [...volumes.keys()];
  try {
    for (let round = 0; round < 2; round++) {
      const stack = await openGroup(images, random, { isReadOnly: false, chance: random });
      const opened = await openVolumes(
        stack,
        names.filter((name) => contents.get(name) !== null),
      );
      for (const { name, content } of opened) {
        const expected = contents.has(name) ? contents.get(name) : volumes.get(name)!.sha256;
        if (content !== null && hashOfBytes(content) !== expected)
          failures.push(`${name} reads otherwise ${round === 0 ? "before" : "after"} it was written`);
      }
      await workOnVolumes(opened, random);
      failures.push(...(await volumeFaults(opened)));
      await closeWritten(stack, opened);
      for (const { name, content } of opened)
        contents.set(name, content === null ? null : hashOfBytes(content));
    }
  } catch (error) {
    failures.push(failureOf(error));
  }
  if (contents.size === 0) failures.push("no volume was opened");
  return { way: "write", shape, images, contents, failures };
}

/** Has the kernel judge groups that cev has written, on a shared disk of their own. */
export async function judgeInKernel(
  folder: string,
  disk: SharedDisk,
  written: readonly WrittenGroup[],
): Promise<Verdict[]> {
  const ready = written.filter(({ failures }) => failures.length === 0);
  const jobs = ready.map(({ shape, images }) => ({
    call: "judge" as const,
    args: [shape.name === "degraded" ? "degraded" : "complete"],
    members: images.map((bytes) => disk.add(bytes.length)),
  }));
  disk.finish();
  for (const [number, { images }] of ready.entries())
    images.forEach((bytes, index) => disk.write(jobs[number]!.members[index]!, bytes));
  const answers = ready.length === 0 ? [] : await runInKernel(folder, disk, jobs);
  const verdicts = written
    .filter(({ failures }) => failures.length > 0)
    .map((one) => ({
      way: one.way,
      type: one.shape.type,
      id: one.shape.name,
      failures: one.failures,
      log: "",
    }));
  for (const [number, { way, shape, contents }] of ready.entries()) {
    const answer = answers[number]!;
    const failures = judgementFailures(answer, contents, shape);
    verdicts.push({ way, type: shape.type, id: shape.name, failures, log: answer.log });
  }
  return verdicts;
}

function judgementFailures(
  { isOk, volumes, findings, log }: KernelAnswer,
  contents: ReadonlyMap<string, string | null>,
  { name: shapeName }: GroupShape,
): string[] {
  const failures: string[] = [];
  if (!isOk)
    failures.push(`the kernel's judgement ended early: ${log.trim().split("\n").slice(-2).join("; ")}`);
  for (const [name, expected] of contents) {
    const found = volumes.get(name)?.sha256 ?? null;
    if (found === expected) continue;
    if (found === null) failures.push(`the kernel does not read ${name}`);
    else
      failures.push(`the kernel reads ${expected === null ? `${name}, which is full` : `${name} otherwise`}`);
  }
  for (const [finding, value] of findings) {
    if (finding.startsWith("mismatches ") && value !== "0") failures.push(`${finding}: ${value}`);
    if (finding.startsWith("health ") && shapeName !== "degraded") failures.push(`${finding}: ${value}`);
  }
  return failures;
}
