import { isCevError } from "@cev/core";
import type { CommandRequest } from "@cev/lvm";
import { CutRecorder, PowerCutLayer, Random as CutRandom } from "@cev/test-kit";
import type { CutState } from "@cev/test-kit";
import { Random } from "../../src/random.ts";
import { openGroup } from "../open-group.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import { command, commandOn, environment, lookAt } from "./group-state.ts";
import type { GroupState } from "./group-state.ts";
import type { Scene } from "./scenes.ts";

/** LVM2 takes nothing smaller. */
const DISK_SIZE = 2 * 1024 * 1024;
const DISK_COUNT = 3;
const ZEROED = 4096;

/** A scene played once: the group before, after, and after a power cut at every request. */
export interface PlayedScene {
  readonly scene: Scene;
  readonly old: GroupState;
  readonly changed: GroupState;
  /** The disks before the command, and after it. */
  readonly oldImages: readonly Uint8Array[];
  readonly newImages: readonly Uint8Array[];
  readonly states: readonly CutState<null>[];
}

/** Prepares disks, fills the volumes, and runs the command once while every possible power cut is recorded. */
export async function playScene(scene: Scene, seed: number): Promise<PlayedScene> {
  const random = new Random(seed);
  const oldImages = Array.from({ length: DISK_COUNT }, () => random.bytes(DISK_SIZE).fill(0, 0, 4096));
  for (const request of scene.before) {
    await commandOn(oldImages, request);
    if (request.command === "lvcreate") await fill(oldImages, `vg/${request.name!}`, random);
  }
  const old = await lookAt(oldImages);
  const disks = oldImages.map(
    (contents) => new PowerCutLayer(environment, { size: contents.length, contents }),
  );
  const recorder = new CutRecorder(disks, {
    random: new CutRandom(seed),
    policies: ["none", "all", "sectors"],
    isDistinct: true,
    context: () => null,
  });
  await command(disks, scene.command);
  recorder.record();
  recorder.stop();
  const newImages = disks.map(({ contents }) => contents);
  return { scene, old, changed: await lookAt(newImages), oldImages, newImages, states: recorder.states };
}

/** Fills a volume; of a snapshot, and of its origin with it, every third chunk, so that its store holds something. */
async function fill(images: readonly Uint8Array[], name: string, random: Random): Promise<void> {
  const isSnapshot = name === "vg/snap";
  await using stack = await openGroup(images, random, { isReadOnly: false });
  await using device = await stack.open(name);
  if (!isSnapshot) {
    await device.write(0, random.bytes(device.size));
    return;
  }
  await using origin = await stack.open("vg/data");
  for (let at = 0; at < device.size; at += 12_288) {
    await device.write(at, random.bytes(4096));
    await origin.write(at + 4096, random.bytes(512));
  }
}

/** What is wrong with the group after one power cut; empty: it is the old one or the new one, and works. */
export async function judgeCut(
  played: PlayedScene,
  { at, policy, images }: CutState<null>,
): Promise<string[]> {
  const { scene, old, changed } = played;
  const failures: string[] = [];
  try {
    const found = await lookAt(images.map((bytes) => bytes.slice()));
    const isOld = found.listing === old.listing;
    const isNew = found.listing === changed.listing;
    if (scene.command.command === "lvconvert") failures.push(...mergeFailures(played, found));
    else if (isNew && isOld) failures.push(...contentFailures(found, changed, scene));
    else if (isNew) failures.push(...contentFailures(found, changed, scene));
    else if (isOld) failures.push(...contentFailures(found, old, scene));
    else
      failures.push(`the group is neither the old nor the new one: ${firstDifference(found, old, changed)}`);
    failures.push(...(await goOnFailures(played, found, images)));
  } catch (error) {
    failures.push(failureOf(error));
  }
  return failures.map(titled);

  function titled(failure: string): string {
    return `${scene.name}, power cut before change ${at}, ${policy} of what was not flushed kept: ${failure}`;
  }
}

export function contentFailures(found: GroupState, expected: GroupState, scene: Scene): string[] {
  const failures: string[] = [];
  for (const [name, content] of expected.contents) {
    const is = found.contents.get(name);
    if (is === undefined) failures.push(`${name} is gone`);
    else if (content === null || is === null) {
      if (content !== is) failures.push(`${name} can${is === null ? "not" : ""} be read`);
    } else {
      // Of a new volume only what is promised: that it begins with zeroes. What extents are added may hold anything.
      const isNewVolume = name === "vg/new";
      const length = isNewVolume ? ZEROED : Math.min(content.length, is.length);
      if (content.length !== is.length)
        failures.push(`${name} has ${is.length} bytes, not ${content.length}`);
      if (Buffer.compare(is.subarray(0, length), content.subarray(0, length)) !== 0)
        failures.push(
          `${name} reads otherwise${isNewVolume ? ": it does not begin with zeroes" : ""} (${scene.name})`,
        );
    }
  }
  for (const name of found.contents.keys())
    if (!expected.contents.has(name)) failures.push(`there is ${name}`);
  return failures;
}

/** While it is merged, the origin holds what the snapshot holds, whatever has been copied; before that, each its own. */
function mergeFailures({ old, changed }: PlayedScene, found: GroupState): string[] {
  const failures: string[] = [];
  const isOld = found.listing === old.listing;
  const expected = isOld ? old : changed;
  for (const name of ["vg/kept", "vg/data", ...(isOld ? ["vg/snap"] : [])]) {
    const is = found.contents.get(name) ?? null;
    const content = expected.contents.get(name) ?? null;
    if (is === null || content === null) failures.push(`${name} cannot be read`);
    else if (Buffer.compare(is, content) !== 0) failures.push(`${name} reads otherwise`);
  }
  return failures;
}

/** After the cut the work can go on: the merge to its end, other groups by another change. */
async function goOnFailures(
  { scene, changed }: PlayedScene,
  found: GroupState,
  images: readonly Uint8Array[],
): Promise<string[]> {
  const copies = images.map((bytes) => bytes.slice());
  const group = /"group":"(vg|other|clone)"/.exec(found.listing)?.[1];
  if (group === undefined) {
    // There is no group: the command is done once more.
    if (changed.listing !== "") {
      await commandOn(copies, scene.command);
      return (await lookAt(copies)).contents.size === changed.contents.size
        ? []
        : ["done again, it does not end as before"];
    }
    return [];
  }
  const failures: string[] = [];
  if (scene.command.command === "lvconvert" && found.listing !== changed.listing) {
    await commandOn(copies, scene.command);
    failures.push(...contentFailures(await lookAt(copies), changed, scene));
  }
  const putInOrder: CommandRequest = { command: "vgck", group, updateMetadata: true };
  await commandOn(copies, putInOrder).catch((error: unknown) => {
    // An import that was cut short is whole to be read; before it is changed it has to be brought to its end.
    if (scene.command.command !== "vgimportclone" || !isCevError(error)) throw error;
    return commandOn(copies, scene.command);
  });
  const { rows } = await commandOn(copies, { command: "vgck", group });
  for (const { severity, message } of rows)
    if (severity === "error") failures.push(`vgck still says: ${String(message)}`);
  if (found.listing.includes("EXPORTED")) return failures;
  await commandOn(copies, { command: "vgchange", group, addTags: ["after"] });
  const later = await lookAt(copies);
  for (const [name, content] of found.contents) {
    const is = later.contents.get(name);
    if (scene.command.command === "lvconvert") continue;
    if (content !== null && (is === undefined || is === null || Buffer.compare(is, content) !== 0))
      failures.push(`${name} changed when the group was put in order`);
  }
  return failures;
}

function firstDifference(found: GroupState, old: GroupState, changed: GroupState): string {
  const lines = found.listing.split("\n");
  const known = new Set([...old.listing.split("\n"), ...changed.listing.split("\n")]);
  return lines.find((line) => !known.has(line)) ?? `"${found.listing}"`;
}
