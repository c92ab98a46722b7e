import { Device, Op } from "@cev/core";
import type { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { deniedBy } from "./left-out.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectRead } from "./work.ts";
import type { Range } from "./work.ts";

const READ_BACK = 4096;

/** Requests that begin and end in every way, at the places where something could depend on it. */
export function alignmentChecks(tested: Tested, add: AddCheck): void {
  add("blocks at and across every border of what it prefers and of what it takes are served", () =>
    Bench.run(tested, { completion: "random", seed: 320 }, borders),
  );
  add("through a Device, ranges that begin and end within a block change that range alone", () =>
    Bench.run(tested, { completion: "later", seed: 330 }, partsOfBlocks),
  );
  add("through a Device, a request may be longer than the longest", () =>
    Bench.run(tested, { seed: 340 }, longerThanLongest),
  );
  add(
    "discards that begin and end within its granularity succeed, and change nothing around them",
    () => Bench.run(tested, { seed: 350 }, unevenDiscards),
    deniedBy(tested, "discard") ?? deniedBy(tested, "write"),
  );
}

async function borders(bench: Bench): Promise<void> {
  const model = await bench.learn();
  const { limits, support } = bench.top;
  const { size, blockSize, lengthMax } = bench;
  const preferred = roundedUp(limits.ioLengthPreferred, blockSize);
  const ranges: Range[] = [];
  for (const border of new Set([preferred, 2 * preferred, roundedUp(limits.physicalBlockSize, blockSize)])) {
    ranges.push({ offset: border - blockSize, length: blockSize });
    ranges.push({ offset: border - blockSize, length: 2 * blockSize });
    ranges.push({ offset: border, length: blockSize });
    ranges.push({ offset: border - blockSize, length: preferred });
    ranges.push({ offset: 0, length: border + blockSize });
  }
  ranges.push({ offset: blockSize, length: lengthMax });
  for (const { offset, length } of ranges) {
    if (offset < 0 || length > lengthMax || offset + length > size) continue;
    if (support.write !== "none") {
      const data = bench.random.bytes(length);
      await bench.succeed(Op.write, offset, length, { data });
      model.write(offset, data);
    }
    expectRead(model, offset, (await bench.succeed(Op.read, offset, length)).data);
  }
  await bench.compare(model, "after requests at borders");
}

/** Beginnings and ends at, within and just before a block; in the first block, at what it prefers, and in the last. */
async function partsOfBlocks(bench: Bench): Promise<void> {
  const { size, blockSize } = bench;
  const model = await bench.learn();
  const device = await Device.open(bench.top, bench.environment);
  const shifts = [...new Set([0, Math.floor(blockSize / 2), blockSize - 1])];
  const preferred = roundedUp(bench.top.limits.ioLengthPreferred, blockSize);
  const bases = [0, preferred - blockSize, size - 3 * blockSize];
  for (const base of bases.filter((one) => one >= 0 && one + 3 * blockSize <= size))
    for (const start of shifts)
      for (const end of shifts)
        for (const blocks of [0, 2]) {
          const length = blocks * blockSize + end - start;
          if (length > 0) await changePart(bench, device, model, { offset: base + start, length });
        }
  await bench.compare(model, "after ranges that begin and end within blocks");
  await device.close();
}

async function changePart(bench: Bench, device: Device, model: ModelDevice, range: Range): Promise<void> {
  const { offset, length } = range;
  if (!device.isReadOnly) {
    const data = bench.random.bytes(length);
    await device.write(offset, data);
    model.write(offset, data);
  }
  expectRead(model, offset, await device.read(offset, length));
}

async function longerThanLongest(bench: Bench): Promise<void> {
  const { size, blockSize, lengthMax } = bench;
  const model = await bench.learn();
  const device = await Device.open(bench.top, bench.environment);
  // Not the longest by much: where there is no longest, all of the device.
  const length = Math.min(size, lengthMax + blockSize);
  await changePart(bench, device, model, { offset: 0, length });
  await changePart(bench, device, model, { offset: size - length, length });
  await bench.compare(model, "after requests longer than the longest");
  await device.close();
}

async function unevenDiscards(bench: Bench): Promise<void> {
  const { size, blockSize, random, lengthMax } = bench;
  const model = await bench.learn();
  const granularity = Math.max(bench.top.limits.discardGranularity, 4 * blockSize);
  const all = Math.min(size, lengthMax, 4 * roundedUp(granularity, blockSize));
  for (let count = 0; count < 8; count++) {
    const data = random.bytes(all);
    await bench.succeed(Op.write, 0, all, { data });
    model.write(0, data);
    const blocks = Math.floor(all / blockSize);
    const first = random.below(blocks);
    const offset = first * blockSize;
    const length = random.between(1, blocks - first) * blockSize;
    await bench.succeed(Op.discard, offset, length);
    model.forget(offset, length);
    const start = Math.max(0, offset - READ_BACK);
    const io = await bench.succeed(Op.read, roundedUp(start, blockSize), all - roundedUp(start, blockSize));
    const at = model.firstDifference(io.offset, io.data);
    expectThat(at < 0, `a discard of ${length} bytes at ${offset} changed byte ${at}, which lies around it`);
  }
  await bench.compare(model, "after discards");
}

function roundedUp(length: number, unit: number): number {
  return Math.ceil(length / unit) * unit;
}
