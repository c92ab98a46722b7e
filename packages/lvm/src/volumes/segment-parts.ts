import type { MappedArea } from "@cev/core";
import type { LogicalVolume } from "../model/group.ts";
import type { Mapping } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";

/** One segment of a volume that is to be put together. */
export interface SegmentPlan<M extends Mapping> {
  readonly segment: Segment;
  /** Of the segment, by its kind. */
  readonly mapping: M;
  /** The volumes it is made for, its own the last. */
  readonly path: readonly LogicalVolume[];
}

/** What a segment lies on. */
export interface SegmentAreas {
  readonly areas: MappedArea[];
  /** Bytes; 0 with one area. */
  readonly stripeSize: number;
}
