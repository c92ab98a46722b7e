import { createHash } from "node:crypto";
import type { CutState } from "@cev/test-kit";
import { CONTENT } from "../../raid-matrix/content.ts";
import { withDisk } from "../../matrix/run-batches.ts";
import type { SharedDisk } from "../../matrix/shared-disk.ts";
import { Random } from "../../src/random.ts";
import { runInKernel } from "../oracle-batch.ts";
import type { KernelAnswer } from "../oracle-batch.ts";
import type { RunPlan } from "../runner.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import type { Verdict } from "../verdict.ts";
import { judgeFaults } from "./failing-disks.ts";
import type { GroupState } from "./group-state.ts";
import { judgeCut, playScene } from "./run-scene.ts";
import type { PlayedScene } from "./run-scene.ts";
import type { Scene } from "./scenes.ts";

const BATCH = 4;

/** Scenes of power cuts, in batches for one kernel each; `sample` states of each scene go to LVM2. */
export function crashBatches(
  plan: RunPlan,
  scenes: readonly Scene[],
  sample: number,
): (() => Promise<void>)[] {
  const batches: (() => Promise<void>)[] = [];
  for (let at = 0; at < scenes.length; at += BATCH)
    batches.push(() => runBatch(plan, scenes.slice(at, at + BATCH), sample));
  return batches;
}

/** What came of one scene, cev's part of it. */
interface JudgedScene {
  readonly scene: Scene;
  /** Null: it could not be played. */
  readonly played: PlayedScene | null;
  readonly failures: string[];
}

/** Plays a scene and has cev open the group after every power cut, or a share of them. */
export async function judgeScene(scene: Scene, seed: number, share = 1): Promise<JudgedScene> {
  try {
    const played = await playScene(scene, seed);
    const failures: string[] = [];
    const random = new Random(seed);
    const states = random.shuffle(played.states).slice(0, Math.ceil(played.states.length * share));
    for (const state of states) failures.push(...(await judgeCut(played, state)));
    return { scene, played, failures };
  } catch (error) {
    return { scene, played: null, failures: [failureOf(error)] };
  }
}

async function runBatch(plan: RunPlan, scenes: readonly Scene[], sample: number): Promise<void> {
  const judged: JudgedScene[] = [];
  for (const scene of scenes) {
    const one = await judgeScene(scene, plan.seed);
    if (one.played !== null) one.failures.push(...(await judgeFaults(one.played, plan.seed, 1)));
    judged.push(one);
  }
  await withDisk(plan, CONTENT, (folder, disk) =>
    judgeInKernel(folder, disk, judged, { sample, seed: plan.seed }),
  );
  plan.report(
    judged.map(({ scene: { name }, played, failures }): Verdict => {
      const log = `${played?.states.length ?? 0} states`;
      return { way: "crash", type: "power cuts", id: name.replaceAll(" ", "_"), failures, log };
    }),
  );
}

/** Shows LVM2 the group before, after, and after some of the power cuts, and adds what is wrong to the failures. */
async function judgeInKernel(
  folder: string,
  disk: SharedDisk,
  judged: readonly JudgedScene[],
  { sample, seed }: { readonly sample: number; readonly seed: number },
): Promise<void> {
  const random = new Random(seed);
  const shown = judged.flatMap(({ played, failures }) => {
    if (played === null) return [];
    // In the middle of an import LVM2 misses a physical volume, whose new label cev alone knows.
    const isImport = played.scene.command.command === "vgimportclone";
    const states = isImport ? [] : random.shuffle(played.states).slice(0, sample);
    return [
      {
        played,
        failures,
        states,
        images: [played.oldImages, played.newImages, ...states.map((one) => one.images)],
      },
    ];
  });
  const jobs = shown.flatMap(({ images }) =>
    images.map((disks) => ({
      call: "crashed" as const,
      args: [],
      members: disks.map((bytes) => disk.add(bytes.length)),
    })),
  );
  disk.finish();
  shown
    .flatMap(({ images }) => images)
    .forEach((disks, number) =>
      disks.forEach((bytes, index) => disk.write(jobs[number]!.members[index]!, bytes)),
    );
  const answers = jobs.length === 0 ? [] : await runInKernel(folder, disk, jobs);
  let at = 0;
  for (const { played, failures, states } of shown) {
    const views = [null, null, ...states].map((state) => {
      const { members } = jobs[at]!;
      return { state, answer: answers[at++]!, devices: members.map((member) => disk.deviceOf(member)) };
    });
    failures.push(...kernelFailures(played, views));
  }
}

/** What the kernel saw of disks in one state; null: before the command, or after it. */
interface View {
  readonly state: CutState<null> | null;
  readonly answer: KernelAnswer;
  readonly devices: readonly string[];
}

function kernelFailures(
  { scene, old, changed }: PlayedScene,
  [before, after, ...cuts]: readonly View[],
): string[] {
  const failures: string[] = [];
  const [oldListing, newListing] = [listingOf(before!), listingOf(after!)];
  for (const view of [before!, after!, ...cuts]) {
    const { state, answer } = view;
    const title = `${scene.name}, LVM2, ${state === null ? "no power cut" : `before change ${state.at}, ${state.policy} kept`}`;
    const fail = (text: string): number => failures.push(`${title}: ${text}`);
    if (!answer.isOk) fail(`it ended early: ${answer.log.trim().split("\n").slice(-3).join("; ")}`);
    const listing = listingOf(view);
    const isMerge = scene.command.command === "lvconvert";
    if (listing !== oldListing && listing !== newListing && !isMerge)
      fail(`neither the old nor the new listing: ${listing}`);
    for (const [name, { sha256 }] of answer.volumes) {
      const wanted = [
        ...(listing === oldListing ? [old] : []),
        ...(listing === oldListing && !isMerge ? [] : [changed]),
      ];
      // A new volume holds what lay there before, behind its first bytes.
      const known = wanted.filter(({ contents }) => contents.has(name) && name !== "vg/new");
      if (known.length > 0 && !known.some((one) => hashIn(one, name) === sha256))
        fail(`${name} reads otherwise`);
    }
  }
  return failures;
}

function hashIn({ contents }: GroupState, name: string): string | null {
  const content = contents.get(name) ?? null;
  return content === null ? null : createHash("sha256").update(content).digest("hex");
}

/** What LVM2 lists, with physical volumes by their index. */
function listingOf({ answer, devices }: View): string {
  const text = (answer.listings.get("lvs") ?? []).map((row) => row.join("|")).join("\n");
  return text.replace(/\/dev\/ubda\d+/g, (device) => `pv${devices.indexOf(device)}`);
}
