import { Io, IoFlag, Op } from "@cev/core";
import type { Device, Support } from "@cev/core";
import type { ModelDevice } from "../model-device.ts";
import type { Random } from "../random.ts";
import type { Bench } from "./bench.ts";
import { unexpected } from "./bench.ts";
import { expectThat } from "./subject.ts";

/** A range of a device. Bytes. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Operations that a layer offers and that have a range. */
export function offeredOps(support: Support): Op[] {
  const ops: Op[] = [];
  if (support.read !== "none") ops.push(Op.read);
  if (support.write !== "none") ops.push(Op.write);
  if (support.writeZeroes !== "none") ops.push(Op.writeZeroes);
  if (support.discard !== "none") ops.push(Op.discard);
  return ops;
}

/** A random range of whole units within `size`: mostly short, sometimes long. */
export function randomRange(random: Random, size: number, unit: number, lengthMax: number): Range {
  const units = Math.floor(size / unit);
  const long = Math.max(1, Math.floor(Math.min(lengthMax, size / 2) / unit));
  const length = random.chance(0.15) ? random.between(1, long) : random.between(1, Math.min(8, long));
  const start = random.between(0, units - length);
  return { offset: start * unit, length: length * unit };
}

/** Ranges that do not touch one another. */
export function randomRanges(bench: Bench, count: number): Range[] {
  const ranges: Range[] = [];
  for (let tries = 0; tries < count * 2 && ranges.length < count; tries++) {
    const range = randomRange(bench.random, bench.size, bench.blockSize, bench.lengthMax);
    const isFree = ranges.every(
      ({ offset, length }) => range.offset >= offset + length || range.offset + range.length <= offset,
    );
    if (isFree) ranges.push(range);
  }
  return ranges;
}

/** Several requests at once, on ranges that do not touch; each must succeed, and reads must give what the model holds. */
export async function randomBatch(bench: Bench, model: ModelDevice, count: number): Promise<void> {
  const { random } = bench;
  const { support } = bench.top;
  const ops = offeredOps(support);
  const ios = randomRanges(bench, count).map(({ offset, length }) => {
    const op = random.pick(ops);
    const flags = op !== Op.read && support.fua !== "none" && random.chance(0.1) ? IoFlag.fua : 0;
    if (op !== Op.write) return bench.submit(op, offset, length, { flags });
    // The memory around the data is somebody else's.
    const dataOffset = random.below(9);
    return bench.submit(op, offset, length, { data: random.bytes(length + 16), dataOffset, flags });
  });
  if (support.flush !== "none" && random.chance(0.2)) ios.push(bench.submit(Op.flush, 0, 0));
  for (const io of ios) {
    await bench.ended(io);
    if (io.error !== null) throw unexpected(io);
    const { op, offset, length, data, dataOffset } = io;
    if (op === Op.write) model.write(offset, data.subarray(dataOffset, dataOffset + length));
    else if (op === Op.writeZeroes) model.writeZeroes(offset, length);
    else if (op === Op.discard) model.forget(offset, length);
    else if (op === Op.read) expectRead(model, offset, data);
  }
}

/** A read gave what the model holds. */
export function expectRead(model: ModelDevice, offset: number, data: Uint8Array): void {
  const at = model.firstDifference(offset, data);
  expectThat(at < 0, `a read of ${data.length} bytes at ${offset} gave a wrong byte at ${at}`);
}

/** After a request that may have been done in part: each block of the range (of a power cut: what the disks write at once) holds its old or its new contents. */
export async function expectOldOrNew(
  bench: Bench,
  model: ModelDevice,
  { offset, length }: Range,
  wanted: Uint8Array,
  when: string,
  unit: number = bench.tearLength,
): Promise<void> {
  const io = await bench.succeed(Op.read, offset, length);
  for (let at = 0; at < length; at += unit) {
    const found = io.data.subarray(at, at + unit);
    const isOld = model.firstDifference(offset + at, found) < 0;
    const isNew = found.every((byte, index) => byte === wanted[at + index]);
    expectThat(isOld || isNew, `${when} the block at ${offset + at} is neither old nor new`);
  }
  model.learn(offset, io.data);
}

/** Closes a device with requests under way: all of them end well, and a later one is refused. */
export async function closeLoaded(bench: Bench, device: Device): Promise<void> {
  const ops = offeredOps(bench.top.support);
  const requests: Promise<unknown>[] = [];
  for (const { offset, length } of randomRanges(bench, 16)) {
    const op = bench.random.pick(ops);
    const io = new Io(bench.environment.runQueue).prepare(op, offset, length, new Uint8Array(length));
    requests.push(bench.ended(io));
    device.submit(io);
  }
  const closing = device.close();
  const late = new Io(bench.environment.runQueue).prepare(
    Op.read,
    0,
    bench.blockSize,
    new Uint8Array(bench.blockSize),
  );
  device.submit(late);
  expectThat(late.error?.code === "CEV_CLOSED", "a request after close() was not refused");
  await closing;
  for (const io of (await Promise.all(requests)) as Io[]) if (io.error !== null) throw unexpected(io);
}
