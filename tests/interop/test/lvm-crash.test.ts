import { describe, expect, test } from "vitest";
import { judgeScene } from "../lvm-matrix/crash/crash-way.ts";
import { judgeFaults } from "../lvm-matrix/crash/failing-disks.ts";
import { judgeCut, playScene } from "../lvm-matrix/crash/run-scene.ts";
import { SCENES } from "../lvm-matrix/crash/scenes.ts";
import { structuresOf } from "../lvm-matrix/hostile/structures.ts";
import { chooseSeed, drawSome } from "../src/random.ts";

// A sample of the commands and of the moments; all of them, and LVM2's opinion: pnpm run lvm-matrix --way crash.
const SEED = chooseSeed();
const SHARE = 0.07;
const FAULT_STRIDE = 9;
const SAMPLE = drawSome(SCENES, Math.ceil(SCENES.length / 5), SEED);

describe(`the power goes before some change that a command makes, or a request fails, CEV_SEED=${SEED}`, () => {
  test.each(SAMPLE)("$name: the group is the old or the new one, and work goes on", async (scene) => {
    const { played, failures } = await judgeScene(scene, SEED, SHARE);
    expect(failures).toEqual([]);
    expect(played!.states.length).toBeGreaterThan(1);
    expect(await judgeFaults(played!, SEED, FAULT_STRIDE)).toEqual([]);
  });
});

test("the scene of rings that wrap has a text in two pieces", async () => {
  const { newImages } = await playScene(
    SCENES.find(({ name }) => name === "rings that wrap")!,
    SEED,
  );
  const texts = structuresOf(newImages[0]!, "pv0").filter(({ name }) => name === "text");
  const isInPieces = texts.map(({ places }) => places.at(-1)! - places[0]! !== places.length - 1);
  expect(isInPieces).toEqual([false, true]);
});

describe("the judge of power cuts notices", () => {
  const scene = SCENES.find(({ name }) => name === "lvextend")!;

  test("a wrong byte in a volume that the command does not touch, and a group that is neither", async () => {
    const played = await playScene(scene, SEED);
    const wrong = played.newImages.map((bytes) => bytes.slice());
    // The first extents of pv0 are those of "kept".
    wrong[0]![128 * 1024 + 5000]! ^= 1;
    const state = { at: 0, policy: "all", context: null, images: wrong } as const;
    expect((await judgeCut(played, state)).join()).toMatch(/vg\/kept reads otherwise/);
    const half = { ...state, images: [played.newImages[0]!, new Uint8Array(wrong[1]!.length), wrong[2]!] };
    expect((await judgeCut(played, half)).join()).toMatch(/neither the old nor the new/);
  });
});
