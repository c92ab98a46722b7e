import type { Details, Json } from "@cev/core";
import type { AssembledGroup, Member } from "../assemble/assemble.ts";
import type { LogicalVolume } from "../model/group.ts";
import type { Area, Mapping } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";
import type { GroupParts } from "./group-parts.ts";
import type { EngineFacts } from "./volume-tree.ts";

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

/** What is known of a volume, with the volumes that it is made of and what its engine says. */
export function volumeDetails(parts: GroupParts, volume: LogicalVolume, facts: EngineFacts | null): Details {
  const made = partsOf(parts, volume);
  const first = volume.segments[0]?.mapping;
  // Of a snapshot users know what LVM2 keeps with its store.
  const shown = (first?.kind === "snapshot" ? parts.volumes.get(first.store) : undefined) ?? volume;
  return {
    group: parts.details,
    uuid: shown.uuid,
    status: volume.status,
    tags: shown.tags,
    segments: volume.segments.map(segmentDetails),
    ...(made.length === 0
      ? {}
      : { parts: made.map(({ name, segments }) => ({ name, segments: segments.map(segmentDetails) })) }),
    ...(facts === null ? {} : { engine: { state: facts.state, details: facts.details } }),
  };
}

/** The volumes that a volume is made of, directly or not; each once. */
function partsOf({ volumes }: GroupParts, volume: LogicalVolume): LogicalVolume[] {
  const found = new Set([volume]);
  for (const one of found)
    for (const { mapping } of one.segments)
      for (const name of namesIn(mapping)) {
        const part = volumes.get(name);
        if (part !== undefined) found.add(part);
      }
  found.delete(volume);
  return [...found];
}

function namesIn(mapping: Mapping): readonly string[] {
  switch (mapping.kind) {
    case "striped":
      return logical(mapping.areas);
    case "mirror":
      return [...logical(mapping.images), ...(mapping.log === null ? [] : [mapping.log])];
    case "raid":
      return mapping.members.flatMap(({ meta, data }) => (meta === null ? [data] : [meta, data]));
    case "snapshot":
      return [mapping.origin, mapping.store];
    case "thin-pool":
      return [mapping.metadata, mapping.data];
    case "thin":
      return mapping.externalOrigin === null ? [mapping.pool] : [mapping.pool, mapping.externalOrigin];
    case "error":
    case "zero":
    case "unknown":
      return [];
  }
}

function logical(areas: readonly Area[]): string[] {
  return areas.flatMap((area) => (area.kind === "logical" ? [area.volume] : []));
}

function segmentDetails({ type, startExtent, extentCount, mapping }: Segment): Json {
  return { type, startExtent, extentCount, ...mappingDetails(mapping) };
}

function mappingDetails(mapping: Mapping): Details {
  switch (mapping.kind) {
    case "striped":
      return {
        areas: mapping.areas.map(areaDetails),
        ...(mapping.areas.length > 1 ? { stripeSize: mapping.stripeSize } : {}),
      };
    case "mirror":
      return {
        images: mapping.images.map(areaDetails),
        log: mapping.log,
        regionSize: mapping.regionSize,
        ...(mapping.extentsMoved === null ? {} : { extentsMoved: mapping.extentsMoved }),
      };
    case "raid": {
      const { members, stripeSize, regionSize, copyCount } = mapping;
      return {
        members: members.map(({ meta, data }) => ({ meta, data })),
        stripeSize,
        regionSize,
        ...(copyCount === 0 ? {} : { copyCount }),
      };
    }
    case "snapshot": {
      const { origin, store, chunkSize, isMerging } = mapping;
      return { origin, store, chunkSize, ...(isMerging ? { isMerging } : {}) };
    }
    case "thin-pool":
      return { metadata: mapping.metadata, data: mapping.data, chunkSize: mapping.chunkSize };
    case "thin": {
      const { pool, deviceId, origin, externalOrigin } = mapping;
      return { pool, deviceId, origin, externalOrigin };
    }
    case "error":
    case "zero":
      return {};
    case "unknown":
      return { reason: mapping.reason };
  }
}

function areaDetails(area: Area): Json {
  return {
    ...(area.kind === "physical"
      ? { physicalVolume: area.physicalVolume.name }
      : { logicalVolume: area.volume }),
    startExtent: area.startExtent,
  };
}
