import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { PhysicalArea } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";
import type { Fill } from "./change.ts";
import { newSegment } from "./change.ts";

/** The largest number of extents a volume can have. */
export const EXTENTS_MAX: number = 2 ** 32 - 1;

/** Adds what was allocated behind the segments there are; what continues the last one becomes a part of it. */
export function appendAreas(
  segments: readonly Segment[],
  found: readonly (readonly PhysicalArea[])[],
  stripeSize: number,
): readonly Segment[] {
  const result = [...segments];
  for (const areas of found) {
    const last = result.at(-1);
    const start = last === undefined ? 0 : last.startExtent + last.extentCount;
    const extentCount = areas.length * areas[0]!.extentCount;
    const added = newSegment("striped", start, extentCount, {
      kind: "striped",
      areas,
      stripeSize: areas.length > 1 ? stripeSize : 0,
    });
    const joined = last === undefined ? null : join(last, added);
    if (joined === null) result.push(added);
    else result[result.length - 1] = joined;
  }
  return result;
}

/** Null where the second segment does not go on, on every physical volume, where the first ends. */
function join(first: Segment, second: Segment): Segment | null {
  const [left, right] = [first.mapping, second.mapping];
  if (left.kind !== "striped" || right.kind !== "striped" || first.tags.length > 0) return null;
  if (left.areas.length !== right.areas.length || left.stripeSize !== right.stripeSize) return null;
  // What was striped continues only from a whole stripe: each area ends on an extent, and so does the stripe.
  const areas = left.areas.map((area, index): PhysicalArea | null => {
    const next = right.areas[index]!;
    if (area.kind !== "physical" || next.kind !== "physical") return null;
    const continues =
      area.physicalVolume.name === next.physicalVolume.name &&
      area.startExtent + area.extentCount === next.startExtent;
    return continues ? { ...area, extentCount: area.extentCount + next.extentCount } : null;
  });
  if (areas.includes(null)) return null;
  return {
    ...first,
    extentCount: first.extentCount + second.extentCount,
    mapping: { ...left, areas: areas.filter((area) => area !== null) },
  };
}

/** The segments of the first so many extents. Precondition: the cut lies between whole stripes. */
export function cutSegments(segments: readonly Segment[], extentCount: number): readonly Segment[] {
  return segments.flatMap((segment) => {
    const kept = Math.min(segment.extentCount, extentCount - segment.startExtent);
    if (kept <= 0) return [];
    if (kept === segment.extentCount) return [segment];
    const { mapping } = segment;
    if (mapping.kind !== "striped") return [{ ...segment, extentCount: kept }];
    const each = kept / mapping.areas.length;
    const areas = mapping.areas.map((area) => ({ ...area, extentCount: each }));
    return [{ ...segment, extentCount: kept, mapping: { ...mapping, areas } }];
  });
}

/** Writes bytes into a new volume from its start, cut where its segments put them. Precondition: it lies on physical volumes. */
export function fillStart(
  group: VolumeGroup,
  volume: LogicalVolume,
  bytes: Uint8Array,
  what: string,
): readonly Fill[] {
  const fills: Fill[] = [];
  const end = Math.min(bytes.length, volume.extentCount * group.extentSize);
  for (let at = 0; at < end;) {
    const { area, within, run } = locate(group, volume, at);
    const length = Math.min(run, end - at);
    const { physicalVolume } = area;
    const offset = physicalVolume.dataOffset + area.startExtent * group.extentSize + within;
    fills.push({ what, physicalVolume, offset, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return fills;
}

/** Where a byte of a volume lies: in which area, how far within, and how many bytes go on there. */
function locate(
  { extentSize }: VolumeGroup,
  { segments }: LogicalVolume,
  offset: number,
): { readonly area: PhysicalArea; readonly within: number; readonly run: number } {
  const segment = segments.find(
    ({ startExtent, extentCount }) => offset < (startExtent + extentCount) * extentSize,
  )!;
  const inSegment = offset - segment.startExtent * extentSize;
  const { mapping } = segment;
  if (mapping.kind !== "striped") throw new TypeError("only what lies on physical volumes is filled");
  const { areas } = mapping;
  const stripeSize = areas.length === 1 ? segment.extentCount * extentSize : mapping.stripeSize;
  const chunk = Math.floor(inSegment / stripeSize);
  const inChunk = inSegment % stripeSize;
  const area = areas[chunk % areas.length] as PhysicalArea;
  return {
    area,
    within: Math.floor(chunk / areas.length) * stripeSize + inChunk,
    run: stripeSize - inChunk,
  };
}
