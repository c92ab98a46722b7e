import type { Details, Json } from "@cev/core";
import type { AssembledGroup, Member } from "../assemble/assemble.ts";
import type { LogicalVolume } from "../model/group.ts";
import type { Segment } from "../model/segments.ts";

/** What is known of a group, for people and `--json`. */
export function groupDetails(
  { group, members }: AssembledGroup,
  lowers: readonly { readonly name: string }[],
): Details {
  return {
    name: group.name,
    uuid: group.uuid,
    seqno: group.seqno,
    extentSize: group.extentSize,
    status: group.status,
    tags: group.tags,
    physicalVolumes: members.map((member) => memberDetails(member, lowers)),
  };
}

function memberDetails(
  { physicalVolume, scanIndex, state }: Member,
  lowers: readonly { readonly name: string }[],
): Json {
  return {
    name: physicalVolume.name,
    uuid: physicalVolume.uuid,
    device: scanIndex === null ? null : lowers[scanIndex]!.name,
    state,
    extentCount: physicalVolume.extentCount,
  };
}

/** What is known of a volume; `group`: as `groupDetails` made it. */
export function volumeDetails(group: Details, volume: LogicalVolume): Details {
  return {
    group,
    uuid: volume.uuid,
    status: volume.status,
    tags: volume.tags,
    segments: volume.segments.map(segmentDetails),
  };
}

function segmentDetails({ type, startExtent, extentCount, mapping }: Segment): Json {
  const areas = mapping.kind === "striped" ? mapping.areas : [];
  return {
    type,
    startExtent,
    extentCount,
    areas: areas.map((area) => ({
      ...(area.kind === "physical"
        ? { physicalVolume: area.physicalVolume.name }
        : { logicalVolume: area.volume }),
      startExtent: area.startExtent,
    })),
  };
}
