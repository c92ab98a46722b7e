import { TextError, show } from "../text/parser.ts";
import type { LogicalVolume, VolumeGroup } from "./group.ts";
import type { Area } from "./mappings.ts";
import type { Segment } from "./segments.ts";

/** A run of extents that a segment lies on. */
interface Used {
  readonly volume: LogicalVolume;
  readonly segment: Segment;
  readonly area: Area;
}

/**
 * Checks what the segments of a group say about extents: that every area lies on its physical volume, and that no extent of a
 * physical or a logical volume belongs to two segments. Throws a `TextError` with the place of the segment.
 */
export function checkLayout(group: VolumeGroup, text: string): void {
  for (const used of areasByHolder(group).values()) {
    used.sort((left, right) => left.area.startExtent - right.area.startExtent);
    let previous: Used | null = null;
    for (const use of used) {
      const { area, segment } = use;
      if (area.kind === "physical") checkWithin(use, area.physicalVolume.extentCount, text);
      if (previous !== null && previous.area.startExtent + previous.area.extentCount > area.startExtent)
        throw new TextError(
          text,
          segment.section.offset,
          `extent ${area.startExtent} of ${show(nameOf(area))} belongs to ` +
            `${show(previous.volume.name)} and to ${show(use.volume.name)}`,
        );
      previous = use;
    }
  }
}

/** Physical volumes are told by their objects, logical ones by their names. */
function areasByHolder(group: VolumeGroup): Map<unknown, Used[]> {
  const areas = new Map<unknown, Used[]>();
  for (const volume of group.logicalVolumes) {
    for (const segment of volume.segments) {
      for (const area of areasOf(segment)) {
        const holder = area.kind === "physical" ? area.physicalVolume : area.volume;
        const used = areas.get(holder);
        if (used === undefined) areas.set(holder, [{ volume, segment, area }]);
        else used.push({ volume, segment, area });
      }
    }
  }
  return areas;
}

function areasOf({ mapping }: Segment): readonly Area[] {
  if (mapping.kind === "striped") return mapping.areas;
  return mapping.kind === "mirror" ? mapping.images : [];
}

function nameOf(area: Area): string {
  return area.kind === "physical" ? area.physicalVolume.name : area.volume;
}

function checkWithin({ volume, segment, area }: Used, extentCount: number, text: string): void {
  const end = area.startExtent + area.extentCount;
  if (end <= extentCount) return;
  throw new TextError(
    text,
    segment.section.offset,
    `${show(volume.name)} reaches to extent ${end} of ${show(nameOf(area))}, which has ${extentCount}`,
  );
}
