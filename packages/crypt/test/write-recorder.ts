import { IoFlag, Op } from "@cev/core";
import type { Environment, Io } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";

/** One change of the disk, or a flush (null) that made durable all before it. */
type Recorded = { readonly offset: number; readonly bytes: Uint8Array } | null;

/** A disk as it could be found after the power went. */
export interface CrashImage {
  /** Which cut, for messages. */
  readonly name: string;
  readonly image: Uint8Array;
}

const SECTOR = 512;

/** A disk that remembers every write and every flush, and then shows what any power cut among them would have left. */
export class WriteRecorder extends MemoryLayer {
  readonly initial: Uint8Array;
  readonly events: Recorded[] = [];

  constructor(environment: Environment, contents: Uint8Array) {
    super(environment, { size: contents.length, contents });
    this.initial = contents.slice();
  }

  override submit(io: Io): void {
    const { op, offset, length, data, dataOffset, flags } = io;
    if (op === Op.write) this.events.push({ offset, bytes: data.slice(dataOffset, dataOffset + length) });
    else if (op === Op.writeZeroes) this.events.push({ offset, bytes: new Uint8Array(length) });
    else if (op === Op.discard) this.events.push({ offset, bytes: new Uint8Array(length).fill(0xdd) });
    // With FUA only this one is durable; taking it for a flush would forgive too much, so nothing here may lean on FUA.
    if (op === Op.flush) this.events.push(null);
    if ((flags & IoFlag.fua) !== 0) throw new Error("the recorder does not know FUA");
    super.submit(io);
  }

  /** How many writes came in. */
  get writeCount(): number {
    return this.events.filter((event) => event !== null).length;
  }

  /**
   * What cuts would leave: after each prefix of the events, every subset of the writes that were not flushed (of more than four: a
   * random choice), and the last of them torn at each 512 bytes from the front, from the back, and at random. A write of more
   * than `tearMax` sectors is torn in as many places only. Each image is good until the next is asked for.
   */
  *crashImages(seed = 1, tearMax = 48): Generator<CrashImage> {
    const random = new Random(seed);
    const durable = this.initial.slice();
    let pending: Exclude<Recorded, null>[] = [];
    yield { name: "before the first write", image: durable.slice() };
    for (const [index, event] of this.events.entries()) {
      if (event === null) {
        for (const { offset, bytes } of pending) durable.set(bytes, offset);
        pending = [];
        yield { name: `after flush ${index}`, image: durable.slice() };
        continue;
      }
      for (const subset of subsetsOf(pending, random)) {
        const image = durable.slice();
        for (const { offset, bytes } of subset) image.set(bytes, offset);
        yield* torn(image, event, tearMax, random, `${subset.length} of ${pending.length} + event ${index}`);
      }
      pending.push(event);
    }
    const image = durable.slice();
    for (const { offset, bytes } of pending) image.set(bytes, offset);
    yield { name: "after the last write", image };
  }
}

function* subsetsOf<T>(items: readonly T[], random: Random): Generator<readonly T[]> {
  if (items.length > 4) {
    yield [];
    for (let round = 0; round < 12; round++) yield items.filter(() => random.chance(0.5));
    yield items;
    return;
  }
  for (let chosen = 0; chosen < 2 ** items.length; chosen++)
    yield items.filter((_, index) => (chosen & (2 ** index)) !== 0);
}

function* torn(
  base: Uint8Array,
  { offset, bytes }: Exclude<Recorded, null>,
  tearMax: number,
  random: Random,
  name: string,
): Generator<CrashImage> {
  const sectors = Math.ceil(bytes.length / SECTOR);
  const cuts = new Set<number>([0, sectors]);
  if (sectors <= tearMax) for (let at = 1; at < sectors; at++) cuts.add(at);
  else while (cuts.size < tearMax) cuts.add(random.below(sectors));
  for (const cut of cuts) {
    const front = base.slice();
    front.set(bytes.subarray(0, cut * SECTOR), offset);
    yield { name: `${name}, its first ${cut} sectors`, image: front };
    const back = base.slice();
    back.set(bytes.subarray(cut * SECTOR), offset + cut * SECTOR);
    yield { name: `${name}, all but its first ${cut} sectors`, image: back };
  }
  for (let round = 0; round < 8; round++) {
    const mixed = base.slice();
    for (let at = 0; at < bytes.length; at += SECTOR)
      if (random.chance(0.5)) mixed.set(bytes.subarray(at, at + SECTOR), offset + at);
    yield { name: `${name}, random sectors (${round})`, image: mixed };
  }
}
