import { createHash } from "node:crypto";
import { isCevError } from "@cev/core";
import type { Stack } from "@cev/stack";
import { hashText } from "../matrix/hash.ts";
import type { SharedDisk } from "../matrix/shared-disk.ts";
import { Random } from "../src/random.ts";
import { dependenciesOf } from "./dependencies.ts";
import { openGroup } from "./open-group.ts";
import { runInKernel } from "./oracle-batch.ts";
import type { KernelAnswer, VolumeHash } from "./oracle-batch.ts";
import type { GroupShape } from "./shapes.ts";
import { failureOf } from "../matrix/failure-of.ts";
import type { Verdict } from "./verdict.ts";

/** A group that the kernel made, and what it holds. */
export interface KernelGroup {
  readonly shape: GroupShape;
  readonly images: readonly Uint8Array[];
  readonly volumes: ReadonlyMap<string, VolumeHash>;
  /** By name of a volume: indices of the physical volumes that it cannot do without, redundancy aside. */
  readonly dependencies: ReadonlyMap<string, ReadonlySet<number>>;
}

/** What the kernel was asked to make of a shape; `read` gives null where it failed. */
export interface KernelMade {
  readonly shape: GroupShape;
  readonly answer: KernelAnswer;
  readonly read: () => KernelGroup | null;
}

/** Has the kernel make groups on a shared disk and fill them. The images are read when they are asked for. */
export async function makeInKernel(
  folder: string,
  disk: SharedDisk,
  shapes: readonly GroupShape[],
): Promise<readonly KernelMade[]> {
  const jobs = shapes.map((shape) => ({
    call: "make" as const,
    args: [shape.name],
    members: shape.sizes.map((size) => disk.add(size)),
  }));
  disk.finish();
  const answers = await runInKernel(folder, disk, jobs);
  return shapes.map((shape, number) => {
    const answer = answers[number]!;
    const { members } = jobs[number]!;
    return {
      shape,
      answer,
      read: () => {
        if (!answer.isOk) return null;
        const devices = members.map((member) => disk.deviceOf(member));
        return {
          shape,
          images: members.map((member) => disk.read(member)),
          volumes: answer.volumes,
          dependencies: dependenciesOf(answer.listings.get("lvs") ?? [], devices),
        };
      },
    };
  });
}

/** Reads a group with all its physical volumes (null) or without one. */
export async function readWithout(group: KernelGroup, missing: number | null): Promise<string[]> {
  const { shape, images, volumes, dependencies } = group;
  const failures: string[] = [];
  const before = images.map(hashOfBytes);
  const random = new Random(hashText(`${shape.name} ${missing}`));
  const given = images.map((bytes, index) => (index === missing ? null : bytes));
  if (given.every((bytes) => bytes === null)) return [];
  try {
    await using stack = await openGroup(given, random);
    for (const [name, expected] of volumes) {
      const isNeeded = missing !== null && (dependencies.get(name)?.has(missing) ?? false);
      const isSure = shape.redundant.includes(name) && !shape.unsure.includes(`${name}-${missing}`);
      const mustOpen = !shape.refused.includes(name) && (!isNeeded || isSure);
      failures.push(...(await volumeFailures(stack, name, { expected, mustOpen })));
    }
    for (const name of shape.refused) if (isOpen(stack, name)) failures.push(`${name} is opened`);
    for (const name of shape.failing) failures.push(...(await failingFailures(stack, name)));
  } catch (error) {
    failures.push(failureOf(error));
  }
  images.forEach((bytes, index) => {
    if (hashOfBytes(bytes) !== before[index]) failures.push(`physical volume ${index} was written`);
  });
  return failures;
}

/** All cases of the way `read` for one group: with all physical volumes, and with each one missing. */
export async function readAll(
  group: KernelGroup,
  answer: KernelAnswer,
  wanted: (missing: number | null) => boolean,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const { name, type, sizes } = group.shape;
  for (const missing of [null, ...(sizes.length === 1 ? [] : sizes.keys())]) {
    if (!wanted(missing)) continue;
    const failures = await readWithout(group, missing);
    verdicts.push({ way: "read", type, id: caseId(name, missing), failures, log: answer.log });
  }
  return verdicts;
}

/** The name of a case: the shape, and which physical volume is missing. */
export function caseId(shape: string, missing: number | null): string {
  return missing === null ? shape : `${shape}-${missing}`;
}

interface Expectation {
  readonly expected: VolumeHash;
  /** False: it may be refused, by name, but not read wrong. */
  readonly mustOpen: boolean;
}

async function volumeFailures(
  stack: Stack,
  name: string,
  { expected, mustOpen }: Expectation,
): Promise<string[]> {
  const full = `vg/${name}`;
  if (!isOpen(stack, name)) {
    if (!mustOpen) return refusalFailures(stack, name);
    const told = stack.problems.filter(({ message }) => message.includes(full));
    return [`${name} is not opened: ${told.map(({ message }) => message).join("; ") || "not said why"}`];
  }
  const hash = createHash("sha256");
  let size = 0;
  try {
    const device = await stack.open(full);
    try {
      for await (const { data } of device.chunks()) {
        hash.update(data);
        size += data.length;
      }
    } finally {
      await device.close();
    }
  } catch (error) {
    if (!isCevError(error)) throw error;
    return mustOpen || error.code === "CEV_PROGRAM" ? [`${name} cannot be read: ${failureOf(error)}`] : [];
  }
  if (size !== expected.size) return [`${name} has ${size} bytes, not ${expected.size}`];
  return hash.digest("hex") === expected.sha256 ? [] : [`${name} reads otherwise`];
}

/** What is not opened is named. */
function refusalFailures({ problems }: Stack, name: string): string[] {
  if (problems.some(({ message }) => message.includes(`vg/${name}`))) return [];
  return [`${name} is not opened, and nothing is said of it`];
}

async function failingFailures(stack: Stack, name: string): Promise<string[]> {
  if (!isOpen(stack, name)) return refusalFailures(stack, name);
  try {
    await using device = await stack.open(`vg/${name}`);
    await device.read(0, 512);
    return [`${name} can be read`];
  } catch (error) {
    return isCevError(error) && error.code !== "CEV_PROGRAM" ? [] : [failureOf(error)];
  }
}

function isOpen(stack: Stack, name: string): boolean {
  return stack.devices.some((device) => device.name === `vg/${name}` && device.layer !== null);
}

export function hashOfBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
