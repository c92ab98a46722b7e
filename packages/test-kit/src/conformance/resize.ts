import { Op } from "@cev/core";
import { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { LOSES_ALL, deniedBy } from "./left-out.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck, ResizeManifest } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectRead, randomBatch } from "./work.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];

/** Growing, while others go on. */
export function resizeChecks(tested: Tested, add: AddCheck): void {
  const { resize, isPersistent = true, skip } = tested.manifest;
  const without =
    resize === undefined ? "it does not grow (the manifest has no resize)" : deniedBy(tested, "write");
  add(
    "it grows under load: what it held is there, what is new can be read and written, and whoever holds its limits keeps them",
    () => Bench.run(tested, { completion: "later", seed: 830 }, (bench) => growing(bench, resize!)),
    without,
  );
  add(
    "a power cut while it grows leaves the old size or the new one, and what it held",
    async () => {
      for (const seed of SEEDS)
        await Bench.run(tested, { disks: "powerCut", seed: 840 + seed }, (bench) =>
          cutWhileGrowing(bench, resize!, seed),
        );
    },
    without ?? (isPersistent ? null : LOSES_ALL) ?? skip?.durability,
  );
}

async function growing(bench: Bench, { grow, shows }: ResizeManifest): Promise<void> {
  const model = await bench.learn();
  const { limits } = bench.layer;
  const sizeBefore = limits.size;
  let hasGrown = false;
  const working = (async () => {
    for (let count = 0; count < 200 && !hasGrown; count++) await randomBatch(bench, model, 4);
  })();
  working.catch(() => undefined);
  const size = await bench.inTime(grow(bench.layer, bench), "did not grow").finally(() => (hasGrown = true));
  await working;
  expectThat(size > sizeBefore, `it grew from ${sizeBefore} bytes to ${size}`);
  expectThat(
    limits.size === sizeBefore && bench.top.limits.size === sizeBefore,
    "the limits that somebody had from it before it grew were altered",
  );
  if (shows === "atOnce")
    expectThat(
      bench.layer.limits.size === size,
      `it grew to ${size} bytes, and says that it has ${bench.layer.limits.size}`,
    );
  await bench.compare(model, "after it grew");
  await bench.reopen();
  expectThat(bench.size === size, `it grew to ${size} bytes; made again it has ${bench.size}`);
  const grown = await grownModel(bench, model);
  await bench.compare(grown, "after it grew and was made again");
  await useNewRange(bench, grown, sizeBefore);
  await bench.reopen();
  await bench.compare(grown, "after what is new was written, and it was made again");
}

/** All of the new range, and a request across the old end. */
async function useNewRange(bench: Bench, model: ModelDevice, oldSize: number): Promise<void> {
  const { size, blockSize, lengthMax, random } = bench;
  const start = oldSize - (oldSize % blockSize);
  const ranges = [{ offset: start - blockSize, length: Math.min(2 * blockSize, lengthMax) }];
  for (let offset = start; offset < size; offset += lengthMax)
    ranges.push({ offset, length: Math.min(lengthMax, size - offset) });
  for (const { offset, length } of ranges) {
    const data = random.bytes(length);
    await bench.succeed(Op.write, offset, length, { data });
    model.write(offset, data);
    expectRead(model, offset, (await bench.succeed(Op.read, offset, length)).data);
  }
  await bench.compare(model, "after what is new was written");
}

async function cutWhileGrowing(bench: Bench, { grow }: ResizeManifest, turns: number): Promise<void> {
  const model = await bench.learn();
  if (bench.top.support.flush !== "none") await bench.succeed(Op.flush, 0, 0);
  const sizeBefore = bench.size;
  let size = 0;
  const done = grow(bench.layer, bench).then(
    (grown) => void (size = grown),
    () => undefined,
  );
  for (let count = 0; count < turns * turns && size === 0; count++)
    await new Promise<void>((resolve) => bench.environment.later(resolve));
  // One that has not grown by then goes on, with disks that are nobody's any more.
  const sizeAtCut = size;
  await bench.crash();
  await bench.inTime(done, "neither grew nor failed to when the power went");
  expectThat(
    bench.size === sizeBefore || size === 0 || bench.size === size,
    `cut short, it grew from ${sizeBefore} bytes to ${bench.size}`,
  );
  if (sizeAtCut !== 0)
    expectThat(
      bench.size === sizeAtCut,
      `it had grown to ${sizeAtCut} bytes; after a power cut it has ${bench.size}`,
    );
  await bench.compare(await grownModel(bench, model), "after a power cut while it grew");
}

/** What it held, and anything behind it. */
async function grownModel(bench: Bench, before: ModelDevice): Promise<ModelDevice> {
  const all = await bench.readAll();
  expectThat(all.length >= before.size, `it has shrunk to ${all.length} bytes`);
  const grown = new ModelDevice(all.length);
  grown.learn(0, all);
  const at = before.firstDifference(0, all.subarray(0, before.size));
  expectThat(at < 0, `after it grew, byte ${at} of what it held is not what it was`);
  return grown;
}
