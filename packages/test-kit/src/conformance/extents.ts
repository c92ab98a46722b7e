import { Op, extentsOf, isCevError } from "@cev/core";
import type { Extent } from "@cev/core";
import { MemoryLayer } from "../layers/memory-layer.ts";
import { Bench } from "./bench.ts";
import { expectThat } from "./subject.ts";
import { HAS_COPIES, LOSES_ALL, NO_REDUNDANCY, deniedBy } from "./left-out.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { randomBatch, randomRange, randomRanges } from "./work.ts";
import type { Range } from "./work.ts";

// What is altered may as well be what the layer needs to open.
const ZEROED_ROUNDS = 4;

/** What a layer tells of its contents. One that tells nothing passes: then everything is data. */
export function extentsChecks(tested: Tested, add: AddCheck): void {
  const { isPersistent = true, lostLowersMax = 0, canHideErrors = false, skip } = tested.manifest;
  const readOnly = deniedBy(tested, "write");
  const forgetful = readOnly ?? (isPersistent ? null : LOSES_ALL);
  add("extents cover what was asked for, in whole blocks, and what they call zeroes is read as zeroes", () =>
    Bench.run(tested, { completion: "random", seed: 900 }, zeroesAreRead),
  );
  add(
    "it answers with as many runs as it is asked for at most, without gaps, from where it is asked on",
    () => Bench.run(tested, { seed: 905 }, runsAreBounded),
  );
  add(
    "a write that has completed is not forgotten, whatever else is under way",
    () => Bench.run(tested, { completion: "random", seed: 910 }, writesAreSeen),
    readOnly,
  );
  add(
    "the same holds when the layer was closed and made again",
    () => Bench.run(tested, { seed: 920 }, closing),
    forgetful,
  );
  add(
    "the same holds when the power went",
    () => Bench.run(tested, { disks: "powerCut", seed: 925 }, powerCuts),
    // A layer whose disks are none of the suite's has no power to cut.
    forgetful ?? skip?.durability,
  );
  add(
    "the same holds when a lower was lost, and when it is back with what it held then",
    () => losingOne(tested),
    readOnly ?? (lostLowersMax > 0 ? null : NO_REDUNDANCY),
  );
  add(
    "what became zeroes below behind its back is told to be zero only where it is read so",
    () => zeroedBelow(tested),
    forgetful ?? (lostLowersMax > 0 || canHideErrors ? HAS_COPIES : null),
  );
}

async function zeroesAreRead(bench: Bench): Promise<void> {
  const model = await bench.learn();
  await checkZeroes(bench, "of a new device");
  for (let round = 0; round < 3; round++) {
    for (let count = 0; count < 3; count++) await randomBatch(bench, model, 5);
    await checkZeroes(bench, "after random requests");
    const { size, blockSize } = bench;
    const part = randomRange(bench.random, size, blockSize, size);
    await checkPart(bench, part);
  }
}

async function runsAreBounded(bench: Bench): Promise<void> {
  const { layer, size, blockSize, random } = bench;
  // Data and zeroes in turn, so that there are many.
  if (bench.top.support.write !== "none")
    for (let at = 0; at + blockSize <= Math.min(size, 64 * blockSize); at += 2 * blockSize)
      await bench.succeed(Op.write, at, blockSize, { data: random.bytes(blockSize) });
  for (const countMax of [1, 2, 5])
    for (const { offset, length } of [{ offset: 0, length: size }, ...randomRanges(bench, 3)]) {
      const runs = (await layer.runs?.(offset, length, countMax)) ?? null;
      if (runs === null) return;
      const what = `asked for at most ${countMax} runs of ${length} bytes at ${offset}, it told`;
      expectThat(runs.length > 0 && runs.length <= countMax, `${what} of ${runs.length}`);
      expectThat(
        runs.every((run) => run.length > 0),
        `${what} of an empty one`,
      );
    }
}

/** Random bytes are never zeroes, block by block: so nothing that was written may be told to be zeroes. */
async function writesAreSeen(bench: Bench): Promise<void> {
  const { random } = bench;
  for (let round = 0; round < 8; round++) {
    const [written, ...others] = randomRanges(bench, 4);
    const data = random.bytes(written!.length).map((byte) => byte | 1);
    const underWay = others.map(({ offset, length }) =>
      bench.submit(Op.write, offset, length, { data: random.bytes(length) }),
    );
    await bench.succeed(Op.write, written!.offset, written!.length, { data });
    // More of it begins while the layers are asked.
    const asked = extentsOf(bench.top, written!.offset, written!.length);
    if (bench.top.support.writeZeroes !== "none")
      for (const { offset, length } of others) underWay.push(bench.submit(Op.writeZeroes, offset, length));
    const isTold = (await asked).some(({ isZero }) => isZero);
    for (const io of underWay) await bench.ended(io);
    expectThat(
      !isTold,
      `${written!.length} bytes at ${written!.offset} are told to be zeroes, and were just written`,
    );
  }
}

async function closing(bench: Bench): Promise<void> {
  await writeSome(bench);
  await bench.reopen();
  await checkZeroes(bench, "after closing and opening");
}

async function powerCuts(bench: Bench): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await writeSome(bench);
    await bench.crash();
    await checkZeroes(bench, "after a power cut");
  }
}

async function losingOne(tested: Tested): Promise<void> {
  let lowerCount = 1;
  for (let index = 0; index < lowerCount; index++) {
    await Bench.run(tested, { completion: "random", seed: 930 + index }, async (bench) => {
      lowerCount = bench.lowers.length;
      await writeSome(bench);
      bench.lowers[index]!.fault.lose();
      await writeSome(bench);
      await checkZeroes(bench, "after a lower was lost");
      bench.lowers[index]!.fault.find();
      await checkZeroes(bench, "after the lost lower came back");
      await writeSome(bench);
      await checkZeroes(bench, "after more writes");
    });
  }
}

/** Something below that was just written becomes zeroes while the layer is closed. */
async function zeroedBelow(tested: Tested): Promise<void> {
  for (let round = 0; round < ZEROED_ROUNDS; round++)
    await Bench.run(tested, { seed: 940 + round, isOpened: false }, zeroOneRange);
}

/** It may be refused then, or be read as anything, with errors, too. But who copies a device leaves out what is told to be zero. */
async function zeroOneRange(bench: Bench): Promise<void> {
  await bench.start();
  const { blockSize } = bench;
  const before = bench.lowers.map(({ disk }) => (disk instanceof MemoryLayer ? disk.bytes.slice() : null));
  const { offset, length } = randomRange(bench.random, bench.size, bench.blockSize, bench.lengthMax);
  await bench.succeed(Op.write, offset, length, { data: bench.random.bytes(length).map((byte) => byte | 1) });
  await bench.stop();
  const changed = bench.lowers.flatMap(({ disk }, index) => {
    if (!(disk instanceof MemoryLayer)) return [];
    const unit = Math.max(blockSize, disk.limits.logicalBlockSize);
    return changedRanges(disk.bytes, before[index]!, unit).map((range) => ({ disk, range }));
  });
  if (changed.length === 0) return;
  const { disk, range } = bench.random.pick(changed);
  disk.bytes.fill(0, range.offset, range.offset + range.length);
  try {
    await bench.startAgain();
  } catch (error) {
    if (isCevError(error)) return;
    throw error;
  }
  let at = offset;
  for (const extent of await extentsOf(bench.top, offset, length)) {
    const end = at + extent.length;
    for (; extent.isZero && at < end; at += blockSize) await expectZeroes(bench, at);
    at = end;
  }
  await bench.close();
}

async function expectZeroes(bench: Bench, at: number): Promise<void> {
  const { data, error } = await bench.run(Op.read, at, bench.blockSize);
  const is = error === null ? "is read as something else" : `cannot be read: ${error.message}`;
  const isZero = error === null && data.every((byte) => byte === 0);
  expectThat(isZero, `byte ${at} is told to be zero where zeroes are below, and ${is}`);
}

/** Where two contents differ, in whole units: what is next to one another as one range. */
function changedRanges(now: Uint8Array, before: Uint8Array, unit: number): Range[] {
  const ranges: { offset: number; length: number }[] = [];
  for (let at = 0; at < now.length; at += unit) {
    const old = before.subarray(at, at + unit);
    if (now.subarray(at, at + unit).every((byte, index) => byte === old[index])) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.length === at) last.length += unit;
    else ranges.push({ offset: at, length: unit });
  }
  return ranges;
}

/** Random bytes and zeroes over all of the device. */
async function writeSome(bench: Bench): Promise<void> {
  const { random } = bench;
  for (const { offset, length } of randomRanges(bench, 6)) {
    const isZeroed = bench.top.support.writeZeroes !== "none" && random.chance(0.4);
    if (isZeroed) await bench.succeed(Op.writeZeroes, offset, length);
    else await bench.succeed(Op.write, offset, length, { data: random.bytes(length) });
  }
}

async function checkPart(bench: Bench, { offset, length }: Range): Promise<void> {
  const extents = await extentsOf(bench.top, offset, length);
  checkShape(bench, extents, length);
}

/** What is told to be zeroes is asked first and read afterwards, with nothing in between. */
async function checkZeroes(bench: Bench, when: string): Promise<void> {
  const extents = await extentsOf(bench.top, 0, bench.size);
  checkShape(bench, extents, bench.size);
  const contents = await bench.readAll();
  let at = 0;
  for (const { length, isZero } of extents) {
    if (isZero) {
      const wrong = contents.subarray(at, at + length).findIndex((byte) => byte !== 0);
      expectThat(wrong < 0, `${when}, byte ${at + wrong} is told to be zero, and is read as something else`);
    }
    at += length;
  }
}

function checkShape(bench: Bench, extents: readonly Extent[], length: number): void {
  const sum = extents.reduce((total, extent) => total + extent.length, 0);
  expectThat(sum === length, `extents of ${length} bytes cover ${sum}`);
  const isAligned = extents.every((extent) => extent.length > 0 && extent.length % bench.blockSize === 0);
  expectThat(isAligned, "extents are not whole blocks");
}
