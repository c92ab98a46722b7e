import { CevError } from "@cev/core";
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from "../model/group.ts";
import type { Area, Mapping, PhysicalArea } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";
import { show } from "../text/parser.ts";
import { isList, isSection } from "../text/writer.ts";

/** A run of extents of a physical volume. */
export interface ExtentRange {
  readonly start: number;
  readonly count: number;
}

/** The areas a mapping lies on by itself, not through other volumes. */
export function areasOf(mapping: Mapping): readonly Area[] {
  switch (mapping.kind) {
    case "striped":
      return mapping.areas;
    case "mirror":
      return mapping.images;
    default:
      return [];
  }
}

/** The runs of extents of a volume on physical volumes, in the order of its segments. */
export function physicalAreasOf(volume: LogicalVolume): PhysicalArea[] {
  return volume.segments.flatMap(({ mapping }) =>
    areasOf(mapping).filter((area): area is PhysicalArea => area.kind === "physical"),
  );
}

/**
 * What is free on each physical volume, by its name within the group, in order of extents. Throws `CEV_UNKNOWN_FEATURE` where a
 * segment that is not understood may lie on a physical volume: then nobody knows what is free.
 */
export function freeRanges(group: VolumeGroup): Map<string, readonly ExtentRange[]> {
  const used = new Map<string, ExtentRange[]>(group.physicalVolumes.map(({ name }) => [name, []]));
  for (const volume of group.logicalVolumes) {
    for (const segment of volume.segments) checkKnown(segment, volume, used);
    for (const { physicalVolume, startExtent, extentCount } of physicalAreasOf(volume))
      used.get(physicalVolume.name)?.push({ start: startExtent, count: extentCount });
  }
  return new Map(
    group.physicalVolumes.map((physicalVolume) => [
      physicalVolume.name,
      gapsBetween(used.get(physicalVolume.name) ?? [], physicalVolume.extentCount),
    ]),
  );
}

function checkKnown(segment: Segment, volume: LogicalVolume, names: ReadonlyMap<string, unknown>): void {
  if (segment.mapping.kind !== "unknown") return;
  for (const { value } of segment.section.entries.values()) {
    if (isSection(value)) continue;
    const named = (isList(value) ? value : [value]).find(
      (item): item is string => typeof item === "string" && names.has(item),
    );
    if (named === undefined) continue;
    throw new CevError(
      "CEV_UNKNOWN_FEATURE",
      `the logical volume ${volume.name} ${segment.mapping.reason} and lies on ${show(named)}: which extents are free is not known`,
      { hint: "use LVM2 itself on this group" },
    );
  }
}

function gapsBetween(used: ExtentRange[], extentCount: number): ExtentRange[] {
  used.sort((left, right) => left.start - right.start);
  const gaps: ExtentRange[] = [];
  let end = 0;
  for (const { start, count } of used) {
    if (start > end) gaps.push({ start: end, count: start - end });
    end = Math.max(end, start + count);
  }
  if (end < extentCount) gaps.push({ start: end, count: extentCount - end });
  return gaps;
}

/** How many extents are free on a physical volume. */
export function freeCount(ranges: readonly ExtentRange[] | undefined): number {
  return (ranges ?? []).reduce((sum, { count }) => sum + count, 0);
}

/** True where new extents may be put on it. */
export function isAllocatable(volume: PhysicalVolume): boolean {
  return volume.status.includes("ALLOCATABLE") && !volume.isMarkedMissing;
}
