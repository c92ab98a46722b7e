import { EventState, IoFlag, Op, isCevError } from "@cev/core";
import type { Io } from "@cev/core";
import type { ModelDevice } from "../model-device.ts";
import { Bench, unexpected } from "./bench.ts";
import { LOSES_ALL, deniedBy } from "./left-out.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectOldOrNew, randomRanges } from "./work.ts";
import type { Range } from "./work.ts";

const SEEDS = [1, 2, 3, 4];

/** A write of random bytes. */
interface Change {
  readonly range: Range;
  readonly wanted: Uint8Array;
}

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
    () => eachSeed(tested, 410, fuaSurvives, [1, 2]),
    without ?? deniedBy(tested, "fua"),
  );
  add(
    "zeroes with FUA survive a power cut without a flush",
    () => Bench.run(tested, { disks: "powerCut", seed: 440 }, zeroesSurvive),
    without ?? deniedBy(tested, "fua") ?? deniedBy(tested, "writeZeroes"),
  );
  add(
    "a flush begun under load covers every write that had completed by then",
    () => eachSeed(tested, 420, flushUnderLoad, [1, 2]),
    without ?? deniedBy(tested, "flush"),
  );
  add(
    "a flush that fails below fails, and the next one that succeeds covers what that one did not",
    () => failedFlush(tested),
    without ?? deniedBy(tested, "flush"),
  );
  add(
    "when a write below fails under a flush, the next flush that succeeds covers what that one did not",
    () => failedWriteBack(tested),
    without ?? deniedBy(tested, "flush"),
  );
}

async function eachSeed(
  tested: Tested,
  firstSeed: number,
  test: (bench: Bench) => Promise<void>,
  seeds: readonly number[] = SEEDS,
): Promise<void> {
  for (const seed of seeds) await Bench.run(tested, { disks: "powerCut", seed: firstSeed + seed }, test);
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

async function zeroesSurvive(bench: Bench): Promise<void> {
  if (bench.top.support.flush !== "none") await bench.succeed(Op.flush, 0, 0);
  const model = await bench.learn();
  for (const { offset, length } of randomRanges(bench, 5)) {
    await bench.succeed(Op.writeZeroes, offset, length, { flags: IoFlag.fua });
    model.writeZeroes(offset, length);
  }
  await bench.crash();
  await bench.compare(model, "after zeroes with FUA and a power cut");
}

/** Some writes have completed when the flush begins, others are under way, and more come while it is. */
async function flushUnderLoad(bench: Bench): Promise<void> {
  await bench.succeed(Op.flush, 0, 0);
  const model = await bench.learn();
  const changes = randomRanges(bench, 10).map((range) => ({
    range,
    wanted: bench.random.bytes(range.length),
  }));
  const begin = ({ range, wanted }: Change): Io =>
    bench.submit(Op.write, range.offset, range.length, { data: wanted.slice() });
  const early = changes.slice(0, 6).map((one) => ({ one, io: begin(one) }));
  for (const { io } of early.slice(0, bench.random.between(1, 5))) await bench.ended(io);
  const covered = early.filter(({ io }) => io.state === EventState.done);
  for (const { io } of covered) if (io.error !== null) throw unexpected(io);
  const flush = bench.submit(Op.flush, 0, 0);
  for (const one of changes.slice(6)) begin(one);
  await bench.ended(flush);
  if (flush.error !== null) throw unexpected(flush);
  await bench.crash();
  const when = "after a flush under load and a power cut";
  for (const { one } of covered) model.write(one.range.offset, one.wanted);
  for (const one of changes.filter((any) => !covered.some(({ one: sure }) => sure === any)))
    await expectOldOrNew(bench, model, one.range, one.wanted, when);
  await bench.compare(model, when);
}

/** Each lower in turn fails its next flush, before or after it was done. */
async function failedFlush(tested: Tested): Promise<void> {
  let lowerCount = 1;
  for (let lower = 0; lower < lowerCount; lower++)
    for (const kind of lower === 0 ? (["error", "errorAfter"] as const) : (["error"] as const))
      await Bench.run(tested, { disks: "powerCut", seed: 430 + lower, isOpened: false }, async (bench) => {
        await bench.start();
        lowerCount = bench.lowers.length;
        const isOpen = lowerCount === 0 || (await failFlushOf(bench, tested, lower, kind));
        if (isOpen) await bench.stop();
      });
}

/** False: the layer asks for help before it is opened again. */
async function failFlushOf(
  bench: Bench,
  tested: Tested,
  lower: number,
  kind: "error" | "errorAfter",
): Promise<boolean> {
  await bench.succeed(Op.flush, 0, 0);
  const model = await bench.learn();
  for (const range of randomRanges(bench, 4)) await change(bench, model, range, 0);
  const { fault } = bench.lowers[lower]!;
  fault.add({ op: Op.flush, fault: { kind, code: "CEV_IO" }, countMax: 1 });
  const io = await bench.run(Op.flush, 0, 0);
  const { canHideErrors = false } = tested.manifest;
  const hasFailed = fault.faultCount > 0;
  expectThat(
    io.error !== null || !hasFailed || canHideErrors,
    `a flush of lower ${lower} failed, and the flush above it succeeded`,
  );
  fault.reset();
  const again = await bench.run(Op.flush, 0, 0);
  // It may as well refuse to go on; it may not say that all is well when it is not.
  if (again.error !== null && hasFailed) return true;
  if (again.error !== null) throw unexpected(again);
  const when = "after a flush that failed, one that succeeded, and a power cut";
  if (!hasFailed || !canHideErrors) {
    await bench.crash();
    await bench.compare(model, when);
    return true;
  }
  return isOldOrHelpless(bench, model, when);
}

/** The first write to each lower in turn that a flush waits for fails, then a later one: what keeps writes back has them still. */
async function failedWriteBack(tested: Tested): Promise<void> {
  let lowerCount = 1;
  for (let lower = 0; lower < lowerCount; lower++)
    for (let skipCount = 0, hasFailed = true; hasFailed && skipCount < 3; skipCount += 2)
      await Bench.run(tested, { disks: "powerCut", seed: 450 + lower, isOpened: false }, async (bench) => {
        await bench.start();
        lowerCount = bench.lowers.length;
        if (lowerCount === 0) hasFailed = false;
        else {
          const outcome = await failWriteOf(bench, tested, lower, skipCount);
          hasFailed = outcome !== "untried";
          if (outcome === "helpless") return;
        }
        // One that refuses to go on may say so again.
        await bench.close();
        bench.checkContract();
        bench.checkLeft("after close");
      });
}

/** "untried": no write was there to fail; "helpless": the layer asks for help before it is opened again. */
async function failWriteOf(
  bench: Bench,
  tested: Tested,
  lower: number,
  skipCount: number,
): Promise<"untried" | "open" | "helpless"> {
  await bench.succeed(Op.flush, 0, 0);
  const model = await bench.learn();
  for (const range of randomRanges(bench, 4)) await change(bench, model, range, 0);
  const { fault } = bench.lowers[lower]!;
  fault.add({ op: Op.write, fault: { kind: "error", code: "CEV_IO" }, skipCount, countMax: 1 });
  await bench.run(Op.flush, 0, 0);
  const hasFailed = fault.faultCount > 0;
  fault.reset();
  if (!hasFailed) return "untried";
  // It may as well refuse to go on; it may not say that all is well when it is not.
  const again = await bench.run(Op.flush, 0, 0);
  if (again.error !== null) return "open";
  const { canHideErrors = false } = tested.manifest;
  const when = `a write to lower ${lower} failed under a flush; after the next, which succeeded, and a power cut`;
  if (canHideErrors) return (await isOldOrHelpless(bench, model, when)) ? "open" : "helpless";
  await bench.crash();
  await bench.compare(model, when);
  return "open";
}

/** What has redundancy has put a lower aside: it may refuse what it cannot vouch for without it, and must not give anything else. */
async function isOldOrHelpless(bench: Bench, model: ModelDevice, when: string): Promise<boolean> {
  try {
    await bench.crash();
  } catch (error) {
    if (!isCevError(error) || error.code !== "CEV_DEGRADED") throw error;
    return false;
  }
  for (let at = 0; at < bench.size; at += bench.blockSize) {
    const { data, error } = await bench.run(Op.read, at, bench.blockSize);
    if (error?.code === "CEV_DEGRADED") continue;
    if (error !== null) throw error;
    const wrong = model.firstDifference(at, data);
    expectThat(wrong < 0, `${when} byte ${wrong} is not what it should be`);
  }
  return true;
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
async function startChanges(bench: Bench, ranges: readonly Range[]): Promise<Change[]> {
  const changes = ranges.map((range) => ({ range, wanted: bench.random.bytes(range.length) }));
  const ios: Io[] = [];
  for (const { range, wanted } of changes)
    ios.push(bench.submit(Op.write, range.offset, range.length, { data: wanted.slice() }));
  for (const io of ios) if (bench.random.chance(0.7)) await bench.ended(io);
  return changes;
}
