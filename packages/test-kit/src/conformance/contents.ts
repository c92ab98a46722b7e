import { Device, IoFlag, Op } from "@cev/core";
import type { CompletionMode } from "../layers/memory-layer.ts";
import { Bench } from "./bench.ts";
import { expectThat } from "./subject.ts";
import { LOSES_ALL, deniedBy } from "./left-out.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectRead, randomBatch, randomRange } from "./work.ts";

const MODES: readonly CompletionMode[] = ["atOnce", "later", "random"];

/** What was written is read, whatever else happens at the same time. */
export function contentsChecks(tested: Tested, add: AddCheck): void {
  const { isPersistent = true } = tested.manifest;
  MODES.forEach((completion, index) =>
    add(
      `random requests, several at a time, over disks that complete ${nameOf(completion)}, do what a plain array does`,
      () => Bench.run(tested, { completion, seed: 100 + index }, (bench) => work(bench, 40)),
    ),
  );
  add("requests of any alignment through a Device do what a plain array does", () =>
    Bench.run(tested, { completion: "random", seed: 110 }, unalignedWork),
  );
  add(
    "what was written is there when the layer was closed and made again",
    () => Bench.run(tested, { seed: 120 }, reopening),
    deniedBy(tested, "write") ?? (isPersistent ? null : LOSES_ALL),
  );
}

/** Zeroes, holes and discards. */
export function zeroesChecks(tested: Tested, add: AddCheck): void {
  add(
    "zeroes read as zeroes, with every flag, and nothing around them changes",
    () => Bench.run(tested, { seed: 200 }, zeroing),
    deniedBy(tested, "writeZeroes"),
  );
  add(
    "a discard changes nothing around its range, and what is written there afterwards stays",
    () => Bench.run(tested, { seed: 210 }, discarding),
    deniedBy(tested, "discard"),
  );
}

async function work(bench: Bench, batches: number): Promise<void> {
  const model = await bench.learn();
  for (let count = 0; count < batches; count++) await randomBatch(bench, model, 6);
  await bench.compare(model, "after all requests");
}

async function unalignedWork(bench: Bench): Promise<void> {
  const { random } = bench;
  const model = await bench.learn();
  const device = await Device.open(bench.top, bench.environment);
  for (let count = 0; count < 60; count++) {
    const { offset, length } = randomRange(random, bench.size, 1, 3 * bench.blockSize);
    const data = random.bytes(length);
    const kind = device.isReadOnly ? 0 : random.below(4);
    if (kind === 0) {
      expectRead(model, offset, await device.read(offset, length));
    } else if (kind === 1 && device.support.writeZeroes !== "none") {
      await device.writeZeroes(offset, length);
      model.writeZeroes(offset, length);
    } else {
      const fua = kind === 3 && device.support.fua !== "none";
      await device.write(offset, data, { fua });
      model.write(offset, data);
    }
  }
  await bench.compare(model, "after all requests");
  await device.close();
}

async function reopening(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (let round = 0; round < 2; round++) {
    for (let count = 0; count < 10; count++) await randomBatch(bench, model, 4);
    await bench.reopen();
    await bench.compare(model, "after closing and opening");
  }
}

async function zeroing(bench: Bench): Promise<void> {
  const { random } = bench;
  const { support } = bench.top;
  const model = await bench.learn();
  const flagSets = [0, IoFlag.noHole, IoFlag.fastZero, support.fua === "none" ? 0 : IoFlag.fua];
  for (let count = 0; count < 24; count++) {
    const range = randomRange(random, bench.size, bench.blockSize, bench.lengthMax);
    if (support.write !== "none") {
      const around = { offset: range.offset, length: range.length };
      const data = random.bytes(around.length);
      await bench.succeed(Op.write, around.offset, around.length, { data });
      model.write(around.offset, data);
    }
    // The inner part of what was just written, so that both sides show what they should not lose.
    const inner = innerOf(range, bench.blockSize);
    const flags = flagSets[count % flagSets.length]!;
    const io = await bench.run(Op.writeZeroes, inner.offset, inner.length, { flags });
    const isTooSlow = flags === IoFlag.fastZero && io.error?.code === "CEV_NOT_SUPPORTED";
    expectThat(io.error === null || isTooSlow, `zeroes with flags ${flags} failed: ${io.error?.code}`);
    if (!isTooSlow) model.writeZeroes(inner.offset, inner.length);
    expectRead(model, range.offset, (await bench.succeed(Op.read, range.offset, range.length)).data);
  }
  await bench.compare(model, "after zeroing");
}

async function discarding(bench: Bench): Promise<void> {
  const { random } = bench;
  const model = await bench.learn();
  for (let count = 0; count < 12; count++) {
    const range = randomRange(random, bench.size, bench.blockSize, bench.lengthMax);
    await bench.succeed(Op.discard, range.offset, range.length);
    model.forget(range.offset, range.length);
    if (bench.top.support.write === "none") continue;
    const inner = innerOf(range, bench.blockSize);
    const data = random.bytes(inner.length);
    await bench.succeed(Op.write, inner.offset, inner.length, { data });
    model.write(inner.offset, data);
  }
  await bench.compare(model, "after discarding");
}

function innerOf(
  range: { readonly offset: number; readonly length: number },
  blockSize: number,
): { offset: number; length: number } {
  if (range.length < 3 * blockSize) return { ...range };
  return { offset: range.offset + blockSize, length: range.length - 2 * blockSize };
}

function nameOf(completion: CompletionMode): string {
  if (completion === "atOnce") return "at once";
  return completion === "later" ? "in a later turn" : "in any order";
}
