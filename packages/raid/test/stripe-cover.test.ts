import { Io, Op, environmentFrom } from "@cev/core";
import { Random } from "@cev/test-kit";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { RAID5_LAYOUTS } from "../src/levels/raid5.ts";
import { StripeMap } from "../src/levels/stripe.ts";
import { StripeCover } from "../src/parity/stripe-cover.ts";

const UNIT = 512;
const { runQueue } = environmentFrom(globalThis);

function write(offset: number, length: number, value: number): Io {
  const data = new Uint8Array(length + 3).fill(value);
  return new Io(runQueue).prepare(Op.write, offset, length, data, 3);
}

function coverOf(dataCount: number, chunkSize: number): { map: StripeMap; cover: StripeCover } {
  const map = new StripeMap({ layout: RAID5_LAYOUTS[2]!, chunkSize, memberCount: dataCount + 1 });
  return { map, cover: new StripeCover(map) };
}

describe("what writes cover of a stripe", () => {
  const shapes = fc.record({
    dataCount: fc.integer({ min: 1, max: 6 }),
    chunkUnits: fc.constantFrom(8, 16, 32),
    count: fc.integer({ min: 1, max: 12 }),
    lengthMax: fc.constantFrom(1, 2, 8, 64),
    stripe: fc.constantFrom(0, 1, 2 ** 33),
    seed: fc.nat(),
  });

  test.prop([shapes], { numRuns: 200 })(
    "is gone over in bands that hold every byte of every request once and no other",
    ({ dataCount, chunkUnits, count, lengthMax, stripe, seed }) => {
      const { map, cover } = coverOf(dataCount, chunkUnits * UNIT);
      const random = new Random(seed);
      const unitCount = dataCount * chunkUnits;
      const wanted = new Uint8Array(unitCount);
      cover.begin(stripe);
      for (let index = 1; index <= count; index++) {
        const start = random.below(unitCount);
        const end = random.between(start + 1, Math.min(unitCount, start + 2 * chunkUnits));
        const isFree = wanted.subarray(start, end).every((value) => value === 0);
        const io = write(stripe * map.stripeSize + start * UNIT, (end - start) * UNIT, index);
        expect(cover.tryAdd(io)).toBe(isFree);
        if (isFree) wanted.fill(index, start, end);
      }
      const found = new Uint8Array(unitCount);
      const rows: number[] = [];
      for (let row = 0; cover.next(row, lengthMax * UNIT); row = cover.rowEnd) {
        const { rowStart, rowEnd } = cover;
        expect(rowEnd).toBeGreaterThan(rowStart);
        expect(rowStart).toBeGreaterThanOrEqual(row);
        expect(Math.floor(rowStart / (lengthMax * UNIT))).toBe(Math.floor((rowEnd - 1) / (lengthMax * UNIT)));
        rows.push(rowStart, rowEnd);
        for (let column = 0; column < dataCount; column++) {
          if (cover.written[column] === 0) continue;
          const gathered = new Uint8Array(rowEnd - rowStart);
          cover.gather(column, gathered, 0);
          const whole = cover.wholeOf(column);
          if (whole !== null) {
            const at = cover.dataOffsetOf(whole, column);
            expect(whole.data.subarray(at, at + rowEnd - rowStart)).toEqual(gathered);
          }
          for (let at = rowStart; at < rowEnd; at += UNIT) {
            const unit = column * chunkUnits + at / UNIT;
            expect(found[unit]).toBe(0);
            found[unit] = gathered[at - rowStart]!;
          }
        }
      }
      expect(found).toEqual(wanted);
      expect(cover.firstRow).toBeLessThanOrEqual(Math.min(...rows));
      expect(cover.lastRow).toBeGreaterThanOrEqual(Math.max(...rows));
    },
  );

  it("is one band where neighbours in rising or falling order make up a full stripe", () => {
    for (const order of [
      [0, 1, 2, 3, 4, 5],
      [5, 4, 3, 2, 1, 0],
    ]) {
      const { cover } = coverOf(3, 4096);
      cover.begin(0);
      for (const index of order) expect(cover.tryAdd(write(index * 2048, 2048, index))).toBe(true);
      expect(cover.next(0, 4096)).toBe(true);
      expect([cover.rowStart, cover.rowEnd, [...cover.written]]).toEqual([0, 4096, [1, 1, 1]]);
      expect(cover.next(4096, 4096)).toBe(false);
    }
  });
});
