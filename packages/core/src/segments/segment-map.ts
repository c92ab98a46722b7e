import { assert } from "../errors.ts";
import type { Layer } from "../layer.ts";

/** A run of bytes on a lower that a segment, or one stripe of it, lies on. */
export interface MappedArea {
  readonly lower: Layer;
  /** Byte offset on the lower. */
  readonly start: number;
}

/** One segment of a layer, in bytes. */
export interface MappedSegment {
  /** Byte offset in the layer. */
  readonly start: number;
  readonly length: number;
  /** One: linear. Several: striped, all of the same length. */
  readonly areas: readonly MappedArea[];
  /** Bytes; 0 with one area. */
  readonly stripeSize: number;
}

/** Where a run of bytes of a striped segment lies: filled in anew for each request, so that none is made for it. */
export class StripePlace {
  areaIndex = 0;
  // NaN, not 0: so that the engine keeps a double in place, and offsets past 2^31 allocate nothing.
  /** Byte offset on that area's lower. */
  offset: number = Number.NaN;
  /** Bytes from there on that follow each other on the lower as they do in the layer. */
  length: number = Number.NaN;
}

/** The segments of a layer, which cover it without a gap. */
export class SegmentMap {
  readonly segments: readonly MappedSegment[];
  /** Bytes. */
  readonly size: number;
  readonly #starts: Float64Array;

  constructor(segments: readonly MappedSegment[]) {
    let end = 0;
    for (const { start, length, areas } of segments) {
      assert(start === end && length > 0 && areas.length > 0, "segments cover a layer without a gap");
      end += length;
    }
    this.segments = segments;
    this.size = end;
    this.#starts = Float64Array.from(segments, ({ start }) => start);
  }

  /** The index of the segment that holds a byte of the layer, by binary search. */
  indexOf(offset: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Fills in where a byte of a striped segment lies. `offset`: in the layer. */
export function placeInStripes(segment: MappedSegment, offset: number, place: StripePlace): void {
  const { areas, stripeSize, start } = segment;
  const within = offset - start;
  const chunk = Math.floor(within / stripeSize);
  const inChunk = within - chunk * stripeSize;
  const row = Math.floor(chunk / areas.length);
  const areaIndex = chunk - row * areas.length;
  place.areaIndex = areaIndex;
  place.offset = areas[areaIndex]!.start + row * stripeSize + inChunk;
  place.length = stripeSize - inChunk;
}

/** The byte of the layer that lies at a byte of one stripe's area: the reverse of `placeInStripes`. */
export function offsetInLayer(segment: MappedSegment, areaIndex: number, lowerOffset: number): number {
  const { areas, stripeSize, start } = segment;
  const within = lowerOffset - areas[areaIndex]!.start;
  const row = Math.floor(within / stripeSize);
  return start + (row * areas.length + areaIndex) * stripeSize + (within - row * stripeSize);
}

/**
 * The bytes that a range of a striped segment takes on one of its areas: they follow each other there, so that
 * operations without data need one request per area. Length 0: none.
 */
export function rangeOnStripe(
  segment: MappedSegment,
  areaIndex: number,
  range: { readonly offset: number; readonly length: number },
): { readonly offset: number; readonly length: number } {
  const from = stripeBytesBefore(segment, areaIndex, range.offset - segment.start);
  const to = stripeBytesBefore(segment, areaIndex, range.offset - segment.start + range.length);
  return { offset: segment.areas[areaIndex]!.start + from, length: to - from };
}

/** How many of the first `length` bytes of a striped segment lie on one of its areas. */
function stripeBytesBefore(segment: MappedSegment, areaIndex: number, length: number): number {
  const { areas, stripeSize } = segment;
  const rowSize = areas.length * stripeSize;
  const rows = Math.floor(length / rowSize);
  const rest = length - rows * rowSize - areaIndex * stripeSize;
  return rows * stripeSize + Math.max(0, Math.min(stripeSize, rest));
}
