import { TextError, show } from "../text/parser.ts";
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from "./group.ts";
import type { PhysicalArea } from "./mappings.ts";
import type { Segment } from "./segments.ts";

interface Used {
  readonly volume: LogicalVolume;
  readonly segment: Segment;
  readonly area: PhysicalArea;
}

/**
 * Checks what the parts of a group say about each other: that every area lies on its physical volume, and that no
 * extent belongs to two segments. Throws a `TextError` with the place of the segment.
 */
export function checkLayout(group: VolumeGroup, text: string): void {
  for (const [physicalVolume, used] of areasByPhysicalVolume(group)) {
    used.sort((left, right) => left.area.startExtent - right.area.startExtent);
    let previous: Used | null = null;
    for (const use of used) {
      checkWithin(use, physicalVolume, text);
      if (previous !== null && previous.area.startExtent + previous.area.extentCount > use.area.startExtent)
        throw new TextError(
          text,
          use.segment.section.offset,
          `extent ${use.area.startExtent} of ${show(physicalVolume.name)} belongs to ` +
            `${show(previous.volume.name)} and to ${show(use.volume.name)}`,
        );
      previous = use;
    }
  }
}

function areasByPhysicalVolume(group: VolumeGroup): Map<PhysicalVolume, Used[]> {
  const areas = new Map<PhysicalVolume, Used[]>();
  for (const volume of group.logicalVolumes) {
    for (const segment of volume.segments) {
      if (segment.mapping.kind !== "striped") continue;
      for (const area of segment.mapping.areas) {
        if (area.kind !== "physical") continue;
        const used = areas.get(area.physicalVolume);
        if (used === undefined) areas.set(area.physicalVolume, [{ volume, segment, area }]);
        else used.push({ volume, segment, area });
      }
    }
  }
  return areas;
}

function checkWithin({ volume, segment, area }: Used, physicalVolume: PhysicalVolume, text: string): void {
  const end = area.startExtent + area.extentCount;
  if (end <= physicalVolume.extentCount) return;
  throw new TextError(
    text,
    segment.section.offset,
    `${show(volume.name)} reaches to extent ${end} of ${show(physicalVolume.name)}, ` +
      `which has ${physicalVolume.extentCount}`,
  );
}
