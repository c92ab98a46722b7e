import { IoFlag, Op } from "@cev/core";
import type { Io } from "@cev/core";
import type { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { LOSES_ALL, deniedBy } from "./left-out.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectOldOrNew, randomRanges } from "./work.ts";
import type { Range } from "./work.ts";

const SEEDS = [1, 2, 3, 4];

/** What a power cut may take, and what it may not. */
export function durabilityChecks(tested: Tested, add: AddCheck): void {
  const { isPersistent = true } = tested.manifest;
  const without = deniedBy(tested, "write") ?? (isPersistent ? null : LOSES_ALL);
  add(
    "what was flushed survives a power cut; what was not is old or new, block by block",
    () => eachSeed(tested, 400, flushedSurvives),
    without ?? deniedBy(tested, "flush"),
  );
  add(
    "a write with FUA survives a power cut without a flush",
    () => eachSeed(tested, 410, fuaSurvives),
    without ?? deniedBy(tested, "fua"),
  );
}

async function eachSeed(
  tested: Tested,
  firstSeed: number,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  for (const seed of SEEDS) await Bench.run(tested, { disks: "powerCut", seed: firstSeed + seed }, test);
}

async function flushedSurvives(bench: Bench): Promise<void> {
  // What never was written needs no flush to survive, but what formatting wrote does.
  await bench.succeed(Op.flush, 0, 0);
  const model = await bench.learn();
  for (let round = 0; round < 3; round++) {
    const ranges = randomRanges(bench, 8);
    const flushed = ranges.slice(0, 4);
    for (const range of flushed) await change(bench, model, range, 0);
    await bench.succeed(Op.flush, 0, 0);
    const lost = await startChanges(bench, ranges.slice(4));
    await bench.crash();
    for (const { range, wanted } of lost)
      await expectOldOrNew(bench, model, range, wanted, "after a power cut");
    await bench.compare(model, "after a power cut");
  }
}

async function fuaSurvives(bench: Bench): Promise<void> {
  if (bench.top.support.flush !== "none") await bench.succeed(Op.flush, 0, 0);
  const model = await bench.learn();
  for (let round = 0; round < 3; round++) {
    for (const range of randomRanges(bench, 5)) await change(bench, model, range, IoFlag.fua);
    await bench.crash();
    await bench.compare(model, "after a power cut");
  }
}

async function change(bench: Bench, model: ModelDevice, range: Range, flags: number): Promise<void> {
  const { offset, length } = range;
  if (bench.top.support.writeZeroes !== "none" && bench.random.chance(0.2)) {
    await bench.succeed(Op.writeZeroes, offset, length, { flags });
    model.writeZeroes(offset, length);
    return;
  }
  const data = bench.random.bytes(length);
  await bench.succeed(Op.write, offset, length, { data, flags });
  model.write(offset, data);
}

/** Writes that are not flushed; the last of them may still be under way when this returns. */
async function startChanges(
  bench: Bench,
  ranges: readonly Range[],
): Promise<{ range: Range; wanted: Uint8Array }[]> {
  const changes = ranges.map((range) => ({ range, wanted: bench.random.bytes(range.length) }));
  const ios: Io[] = [];
  for (const { range, wanted } of changes)
    ios.push(bench.submit(Op.write, range.offset, range.length, { data: wanted.slice() }));
  for (const io of ios) if (bench.random.chance(0.7)) await bench.ended(io);
  return changes;
}
