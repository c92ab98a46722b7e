import { decodeRaid10Layout } from "../../src/levels/raid10-layout.ts";

/** An array whose places the kernel was asked for. Sizes in bytes; all units of 4 KiB are numbered. */
export interface KernelArray {
  readonly level: number;
  readonly layout: number;
  /** 0: none. */
  readonly chunkSize: number;
  readonly memberSizes: readonly number[];
}

export const UNIT = 4096;

/** All arrays the kernel was asked for: each layout of each level, with as many stripes as it takes to come round. */
export function kernelArrays(): KernelArray[] {
  return [...parityArrays(), ...mirrorArrays(), ...zoneArrays()];
}

function* parityArrays(): Generator<KernelArray> {
  for (const level of [4, 5, 6]) {
    for (const layout of LAYOUTS[level]!) {
      for (let memberCount = level === 6 ? 4 : 3; memberCount <= 6; memberCount++)
        yield equalMembers(level, layout, memberCount, memberCount + 1);
    }
  }
}

const LAYOUTS: Readonly<Record<number, readonly number[]>> = {
  4: [0],
  5: [0, 1, 2, 3, 4, 5],
  6: [0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 19, 20],
};

function* mirrorArrays(): Generator<KernelArray> {
  yield { level: 1, layout: 0, chunkSize: 0, memberSizes: [5 * UNIT, 5 * UNIT, 5 * UNIT] };
  for (let memberCount = 2; memberCount <= 7; memberCount++) {
    for (const copies of [2, 3]) {
      if (copies > memberCount) continue;
      // Seven chunks: the last copies find no room in some of these.
      yield equalMembers(10, 0x100 + copies, memberCount, 7);
      for (const sets of FAR_SETS) {
        yield equalMembers(10, sets + (copies << 8) + 1, memberCount, 7);
        yield equalMembers(10, sets + OFFSET + (copies << 8) + 1, memberCount, 7);
      }
    }
    for (const sets of FAR_SETS) {
      for (const offset of [0, OFFSET]) {
        const layout = sets + offset + (2 << 8) + 2;
        if (decodeRaid10Layout(layout, memberCount) !== null) yield equalMembers(10, layout, memberCount, 7);
      }
    }
  }
}

const OFFSET = 1 << 16;
// One set, and the two ways to make several.
const FAR_SETS = [0, 1 << 17, 2 << 17];

function* zoneArrays(): Generator<KernelArray> {
  const chunkSizes = [UNIT, 2 * UNIT, 3 * UNIT];
  for (const units of [[7], [6, 6, 6], [3, 7, 7, 5], [12, 4, 9, 4, 7], [13, 9, 6, 18]]) {
    const memberSizes = units.map((count) => count * UNIT + 1024);
    for (const layout of [1, 2])
      for (const chunkSize of chunkSizes) yield { level: 0, layout, chunkSize, memberSizes };
    yield { level: -1, layout: 0, chunkSize: 2 * UNIT, memberSizes };
    yield { level: -1, layout: 0, chunkSize: 0, memberSizes: units.map((count) => count * UNIT) };
  }
}

function equalMembers(level: number, layout: number, memberCount: number, chunks: number): KernelArray {
  return { level, layout, chunkSize: UNIT, memberSizes: new Array<number>(memberCount).fill(chunks * UNIT) };
}
