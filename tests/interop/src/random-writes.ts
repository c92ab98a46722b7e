import type { NbdClient } from "./nbd-client.ts";
import type { Random } from "./random.ts";

const IN_FLIGHT_MAX = 16;
const SECTOR = 512;

interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * Writes to a device at random through NBD, many at a time, and to a model in memory alike: sizes from one byte to
 * 256 KiB, mostly whole sectors, some with FUA, some as write-zeroes, some after a trim, flushes and reads in
 * between. Those under way never overlap, so that the outcome is certain; what a read gives is compared at once.
 * The seed decides everything, time nothing.
 */
export async function writeRandomly(
  client: NbdClient,
  model: Uint8Array,
  random: Random,
  count: number,
): Promise<void> {
  for (let done = 0; done < count;) {
    const batch: Range[] = [];
    while (batch.length < IN_FLIGHT_MAX && done + batch.length < count) {
      const range = chooseRange(random, model.length);
      if (!batch.some((other) => overlaps(range, other))) batch.push(range);
    }
    await Promise.all(batch.map((range) => writeOne(client, model, random, range)));
    done += batch.length;
    if (random.below(8) === 0) await client.flush();
  }
  await client.flush();
}

async function writeOne(client: NbdClient, model: Uint8Array, random: Random, range: Range): Promise<void> {
  const { offset, length } = range;
  const kind = random.below(20);
  if (kind === 0) {
    model.fill(0, offset, offset + length);
    await client.writeZeroes(offset, length);
  } else {
    const data = random.bytes(length);
    model.set(data, offset);
    // What was trimmed may read as anything, so it is written again; its neighbours have to stay.
    if (kind === 2 && client.canTrim) await client.trim(offset, length);
    await client.write(offset, data, kind === 1);
  }
  if (kind < 4) {
    const expected = model.slice(offset, offset + length);
    const found = await client.read(offset, length);
    if (Buffer.compare(found, expected) !== 0) throw new Error(`other bytes at ${offset}, length ${length}`);
  }
}

function chooseRange(random: Random, size: number): Range {
  const unit = random.below(10) === 0 ? 1 : SECTOR;
  const lengthMax = random.pick([1, 8, 64, 128, 512]) * SECTOR;
  const length = (1 + random.below(lengthMax / unit)) * unit;
  const offset = random.below((size - length) / unit + 1) * unit;
  return { offset: Math.floor(offset / unit) * unit, length };
}

/** Whether two ranges share a byte. */
function overlaps(a: Range, b: Range): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}
