import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { hashText } from "../../matrix/hash.ts";
import type { SharedDisk } from "../../matrix/shared-disk.ts";
import { Random } from "../../src/random.ts";
import { openGroup } from "../open-group.ts";
import { runInKernel } from "../oracle-batch.ts";
import type { KernelAnswer, VolumeHash } from "../oracle-batch.ts";
import { readAll } from "../random-volumes.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import { lvmChanges } from "./changes.ts";
import type { Step } from "./steps.ts";
import { GroupWorld } from "./world.ts";

const MIB = 1024 * 1024;
const VERIFY_EVERY = 8;

/** Disks that cev has commanded, ready to be judged. */
export interface Commanded {
  readonly world: GroupWorld;
  /** By name: the hash of what a volume ought to hold; null: it cannot be read. */
  readonly contents: ReadonlyMap<string, string | null>;
  readonly failure: string | null;
}

/** Runs steps on new disks, compares all the time, and leaves a group `vg` that the kernel can take. */
export async function runSteps(steps: readonly Step[], seed: number): Promise<Commanded> {
  const random = new Random(seed);
  const world = new GroupWorld([8 * MIB, 8 * MIB, 6 * MIB, 6 * MIB, 5 * MIB], random);
  let failure: string | null = null;
  try {
    for (const [index, step] of steps.entries()) {
      await world.do(step);
      if (index % VERIFY_EVERY === VERIFY_EVERY - 1) await world.verify();
    }
    const { group, isExported } = world.known;
    if (group !== null && isExported) await world.run({ command: "vgimport", group });
    if (group !== null && group !== "vg") await world.run({ command: "vgrename", group, newName: "vg" });
    if (group !== null) world.known = { ...world.known, group: "vg", isExported: false };
    await world.verify();
  } catch (error) {
    failure = failureOf(error);
  }
  const contents = new Map(
    world.known.volumes
      .filter(({ kind }) => kind !== "error")
      .map(({ name, content }) => [name, content === null ? null : sha256(content)]),
  );
  return { world, contents, failure };
}

/** What is wrong with sequences, by index; an empty list: the kernel accepts all, and cev reads what LVM2 made of it. */
export async function judgeSequences(
  folder: string,
  disk: SharedDisk,
  commanded: readonly Commanded[],
): Promise<readonly { readonly failures: readonly string[]; readonly log: string }[]> {
  const ready = commanded.filter(({ failure, world }) => failure === null && world.known.group !== null);
  const jobs = ready.map(({ world }) => ({
    call: "judge" as const,
    args: ["complete"],
    members: world.known.used.map((name) => disk.add(imageOf(world, name).length)),
  }));
  disk.finish();
  for (const [number, { world, contents }] of ready.entries()) {
    world.known.used.forEach((name, index) =>
      disk.write(jobs[number]!.members[index]!, imageOf(world, name)),
    );
    const random = new Random(hashText(world.story.join("\n")));
    writeFileSync(`${folder}/${number}.change`, lvmChanges([...contents.keys()], random));
  }
  const answers = ready.length === 0 ? [] : await runInKernel(folder, disk, jobs);
  const results = new Map<Commanded, { readonly failures: readonly string[]; readonly log: string }>();
  for (const [number, one] of ready.entries()) {
    const answer = answers[number]!;
    const failures = judgementFailures(answer, one.contents);
    const images = jobs[number]!.members.map((member) => disk.read(member));
    if (failures.length === 0) failures.push(...(await readBack(images, answer.changed)));
    results.set(one, { failures, log: `${one.world.story.join("\n")}\n${answer.log}` });
  }
  return commanded.map((one) => {
    const failures = one.failure === null ? [] : [one.failure];
    return results.get(one) ?? { failures, log: one.world.story.join("\n") };
  });
}

function judgementFailures(answer: KernelAnswer, contents: ReadonlyMap<string, string | null>): string[] {
  const failures: string[] = [];
  const { isOk, volumes, log } = answer;
  if (!isOk)
    failures.push(`the kernel's judgement ended early: ${log.trim().split("\n").slice(-3).join("; ")}`);
  for (const line of log.split("\n"))
    if (/WARNING|rror|orrupt|nconsistent/.test(line) && !EXPECTED.test(line))
      failures.push(`LVM2 says: ${line.trim()}`);
  for (const [name, expected] of contents) {
    const found = volumes.get(name)?.sha256 ?? null;
    if (found === null && expected !== null) failures.push(`the kernel does not read ${name}`);
    else if (found !== expected) failures.push(`the kernel reads ${name} otherwise`);
  }
  for (const name of volumes.keys())
    if (!contents.has(name)) failures.push(`the kernel has a volume ${name}`);
  return failures;
}

/** What LVM2 says of things that are as they should be. */
const EXPECTED =
  /not zeroed|Reducing active|THIS MAY DESTROY|layout and role|^refused|may be auto|Sum of all|snapshot.*(invalid|full)|I\/O error|Input\/output error|never reached|type error|seg_type|\|/i;

/** cev reads what LVM2 left, with everything that stood in the group before. */
async function readBack(
  images: readonly Uint8Array[],
  changed: ReadonlyMap<string, VolumeHash>,
): Promise<string[]> {
  const failures: string[] = [];
  try {
    await using stack = await openGroup(images, new Random(7));
    for (const [name, { sha256: expected }] of changed) {
      const device = await stack.open(`vg/${name}`);
      if (sha256(await readAll(device)) !== expected)
        failures.push(`after LVM2 changed it, cev reads ${name} otherwise`);
      await device.close();
    }
  } catch (error) {
    failures.push(`after LVM2 changed it: ${failureOf(error)}`);
  }
  return failures;
}

function imageOf(world: GroupWorld, name: string): Uint8Array {
  return world.images[Number(name.slice(2))]!;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
