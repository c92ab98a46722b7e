import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { insertRange, overlaps, removeRange } from "../src/array/unsynced-ranges.ts";
import type { ByteRange } from "../src/array/unsynced-ranges.ts";

const SIZE = 40;
const range = fc
  .tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: 12 }))
  .map(([start, length]): ByteRange => ({ start, end: Math.min(SIZE, start + length) }));
const changes = fc.array(fc.tuple(fc.boolean(), range), { maxLength: 30 });

/** The same by bytes: slow, and plainly right. */
function bytesOf(ranges: readonly ByteRange[]): boolean[] {
  return Array.from({ length: SIZE }, (_, at) => ranges.some(({ start, end }) => start <= at && at < end));
}

function changed(steps: readonly (readonly [boolean, ByteRange])[]): {
  ranges: ByteRange[];
  bytes: boolean[];
} {
  let ranges: ByteRange[] = [];
  const bytes = new Array<boolean>(SIZE).fill(false);
  for (const [isInsert, { start, end }] of steps) {
    if (isInsert) ranges = insertRange(ranges, { start, end });
    else removeRange(ranges, start, end);
    bytes.fill(isInsert, start, end);
  }
  return { ranges, bytes };
}

describe("ranges that are in rising order and apart", () => {
  test("hold after any changes the bytes they should", () => {
    fc.assert(
      fc.property(changes, (steps) => {
        const { ranges, bytes } = changed(steps);
        expect(bytesOf(ranges)).toEqual(bytes);
      }),
    );
  });

  test("stay in rising order and apart, and none is empty", () => {
    fc.assert(
      fc.property(changes, (steps) => {
        const { ranges } = changed(steps);
        let previous = -1;
        for (const { start, end } of ranges) {
          expect(start).toBeGreaterThan(previous);
          expect(end).toBeGreaterThan(start);
          previous = end;
        }
      }),
    );
  });

  test("overlap another exactly where they have a byte in common with it", () => {
    fc.assert(
      fc.property(changes, range, (steps, { start, end }) => {
        const { ranges, bytes } = changed(steps);
        expect(overlaps(ranges, start, end)).toBe(bytes.slice(start, end).includes(true));
      }),
    );
  });
});
