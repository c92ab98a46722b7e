import type { Run } from "../extents/run.ts";
import { StripePlace, placeInStripes } from "./segment-map.ts";
import type { SegmentMap } from "./segment-map.ts";

/** Where the bytes of a range lie: one run for each piece of a linear segment, one for each chunk of a striped one. */
export function segmentRuns(
  map: SegmentMap,
  offset: number,
  length: number,
  countMax: number,
): readonly Run[] {
  const runs: Run[] = [];
  const place = new StripePlace();
  const end = Math.min(offset + length, map.size);
  let index = map.indexOf(offset);
  for (let at = offset; at < end && runs.length < countMax;) {
    const segment = map.segments[index]!;
    const segmentEnd = Math.min(end, segment.start + segment.length);
    if (segment.areas.length === 1) {
      const { lower, start } = segment.areas[0]!;
      runs.push({
        length: segmentEnd - at,
        content: "asBelow",
        lower,
        lowerOffset: start + at - segment.start,
      });
      at = segmentEnd;
    } else {
      placeInStripes(segment, at, place);
      const part = Math.min(place.length, segmentEnd - at);
      const { lower } = segment.areas[place.areaIndex]!;
      runs.push({ length: part, content: "asBelow", lower, lowerOffset: place.offset });
      at += part;
    }
    if (at === segment.start + segment.length) index++;
  }
  return runs;
}
