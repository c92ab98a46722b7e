import type { Device } from "@cev/core";
import type { Random } from "../src/random.ts";

const SECTOR = 512;
const IN_FLIGHT_MAX = 12;

interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * Writes to a device at random, many writes at a time, and to a model alike: from one byte to a few stripes, bursts of
 * neighbours, some with FUA, zeroes and discards where they are offered, flushes in between. Those under way never
 * overlap, so that the outcome is certain; some are read back at once.
 */
export async function workRandomly(
  device: Device,
  model: Uint8Array,
  random: Random,
  count: number,
): Promise<void> {
  for (let done = 0; done < count;) {
    const batch = random.below(4) === 0 ? neighbours(random, device) : scattered(random, device);
    await Promise.all(batch.map((range) => workOnce(device, model, random, range)));
    done += batch.length;
    if (random.below(4) === 0) await device.flush();
  }
  await device.flush();
}

async function workOnce(device: Device, model: Uint8Array, random: Random, range: Range): Promise<void> {
  const { offset, length } = range;
  const kind = random.below(20);
  if (kind === 0 && device.support.writeZeroes !== "none") {
    model.fill(0, offset, offset + length);
    await device.writeZeroes(offset, length);
  } else if (kind === 1 && device.support.discard !== "none") {
    await device.discard(offset, length);
    // It may read as anything, but as the same from now on: the members have to agree.
    model.set(await device.read(offset, length), offset);
  } else {
    const data = random.bytes(length);
    model.set(data, offset);
    await device.write(offset, data, { fua: kind === 2 });
  }
  if (kind > 4) return;
  const expected = model.slice(offset, offset + length);
  const found = await device.read(offset, length);
  if (Buffer.compare(found, expected) !== 0)
    throw new Error(`what was written at ${offset}, length ${length}, reads otherwise at once`);
}

function scattered(random: Random, { size, limits }: Device): Range[] {
  const batch: Range[] = [];
  const target = 1 + random.below(IN_FLIGHT_MAX);
  for (let tries = 0; tries < target; tries++) {
    const unit = random.below(10) === 0 ? 1 : SECTOR;
    const stripe = Math.min(limits.ioLengthPreferred, 3 * 1024 * 1024);
    const lengthMax = random.pick([SECTOR, 4096, 32_768, 65_536, 2 * stripe]);
    const length = Math.min(size, (1 + random.below(Math.ceil(lengthMax / unit))) * unit);
    const offset = random.below((size - length) / unit + 1) * unit;
    const range = { offset: Math.floor(offset / unit) * unit, length };
    if (!batch.some((other) => overlaps(range, other))) batch.push(range);
  }
  return batch;
}

/** A run of writes of one length, each where the one before ends, submitted out of order. */
function neighbours(random: Random, { size }: Device): Range[] {
  const length = random.pick([4096, 16_384, 65_536]);
  const count = Math.min(2 + random.below(IN_FLIGHT_MAX), Math.floor(size / length));
  const start = random.below(Math.floor((size - count * length) / SECTOR) + 1) * SECTOR;
  return random.shuffle(
    Array.from({ length: count }, (_, index) => ({ offset: start + index * length, length })),
  );
}

/** Whether two ranges share a byte. */
function overlaps(a: Range, b: Range): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}
