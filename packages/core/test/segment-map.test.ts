import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import {
  SegmentMap,
  StripePlace,
  offsetInLayer,
  placeInStripes,
  rangeOnStripe,
} from "../src/segments/segment-map.ts";
import type { MappedSegment } from "../src/segments/segment-map.ts";
import { MemoryLayer } from "./support.ts";

const lower = new MemoryLayer(512);

/** A place of its own, so that two can be compared. */
function placeOf(segment: MappedSegment, offset: number): StripePlace {
  const place = new StripePlace();
  placeInStripes(segment, offset, place);
  return place;
}

const striped: fc.Arbitrary<MappedSegment> = fc
  .record({
    start: fc.nat(1000).map((sectors) => sectors * 512),
    stripeSize: fc.integer({ min: 1, max: 16 }).map((sectors) => sectors * 512),
    rows: fc.integer({ min: 1, max: 20 }),
    starts: fc.array(
      fc.nat(1000).map((sectors) => sectors * 512),
      { minLength: 2, maxLength: 5 },
    ),
  })
  .map(({ start, stripeSize, rows, starts }) => ({
    start,
    stripeSize,
    length: rows * stripeSize * starts.length,
    areas: starts.map((areaStart) => ({ lower, start: areaStart })),
  }));

test.prop([fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 100 }), fc.nat()])(
  "the segment of an offset is the one a walk over all finds",
  (lengths, chance) => {
    let start = 0;
    const segments = lengths.map((length) => {
      const segment = { start, length, areas: [{ lower, start: 0 }], stripeSize: 0 };
      start += length;
      return segment;
    });
    const map = new SegmentMap(segments);
    const offset = chance % map.size;
    const walked = segments.findIndex((segment) => offset < segment.start + segment.length);
    expect(map.indexOf(offset)).toBe(walked);
    expect(map.size).toBe(start);
  },
);

test("segments with a gap between them are a program error", () => {
  const areas = [{ lower, start: 0 }];
  const gap = [
    { start: 0, length: 10, areas, stripeSize: 0 },
    { start: 11, length: 10, areas, stripeSize: 0 },
  ];
  expect(() => new SegmentMap(gap)).toThrow(/without a gap/);
});

test.prop([striped])(
  "stripes are dealt out chunk by chunk, and the way back leads where one came from",
  (segment) => {
    const next = segment.areas.map(() => 0);
    for (let offset = segment.start; offset < segment.start + segment.length; offset += segment.stripeSize) {
      const index = ((offset - segment.start) / segment.stripeSize) % segment.areas.length;
      const inChunk = segment.stripeSize - 1;
      expect(placeOf(segment, offset)).toMatchObject({
        areaIndex: index,
        offset: segment.areas[index]!.start + next[index]!,
        length: segment.stripeSize,
      });
      const place = placeOf(segment, offset + inChunk);
      expect(place.length).toBe(1);
      expect(offsetInLayer(segment, place.areaIndex, place.offset)).toBe(offset + inChunk);
      next[index]! += segment.stripeSize;
    }
  },
);

test.prop([striped, fc.nat(), fc.nat()])(
  "the range on one stripe is made of just the bytes that lie there",
  (segment, first, second) => {
    const from = first % segment.length;
    const length = 1 + (second % (segment.length - from));
    const range = { offset: segment.start + from, length };
    const bytes = segment.areas.map(() => [] as number[]);
    for (let at = range.offset; at < range.offset + length;) {
      const place = placeOf(segment, at);
      const part = Math.min(place.length, range.offset + length - at);
      bytes[place.areaIndex]!.push(place.offset, place.offset + part);
      at += part;
    }
    segment.areas.forEach((_, index) => {
      const found = rangeOnStripe(segment, index, range);
      const wanted = bytes[index]!;
      expect(found.length).toBe(wanted.length === 0 ? 0 : wanted.at(-1)! - wanted[0]!);
      if (found.length > 0) expect(found.offset).toBe(wanted[0]);
    });
  },
);
