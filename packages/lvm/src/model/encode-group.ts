import { assert } from "@cev/core";
import { SECTOR, diskTextOf } from "../disk/bytes.ts";
import type { ConfigSection } from "../text/parser.ts";
import { writeGroupText } from "../text/group-text.ts";
import type { TextStyle } from "../text/group-text.ts";
import { isSection } from "../text/writer.ts";
import { mappingFields } from "./encode-mapping.ts";
import { CONTENTS, VERSION } from "./group.ts";
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from "./group.ts";
import { fillSlots, overlay } from "./overlay.ts";
import type { Field } from "./overlay.ts";
import type { Segment } from "./segments.ts";

const EMPTY: ConfigSection = { entries: new Map(), offset: 0 };

/**
 * The group as a tree of LVM2's text. What was read keeps its order, its words and the keys that are not known; what is new is
 * laid out as LVM2 2.03 does. `encodeGroup(decodeGroup(identity))` equals `identity.tree`.
 */
export function encodeGroup(group: VolumeGroup): ConfigSection {
  const { tree } = group;
  const old = tree === null ? null : sectionOf(tree);
  const section = encodeGroupSection(group, old);
  const root = tree === null ? null : fillSlots(tree, isSectionSlot, [[group.name, section]]);
  return overlay(root, [
    { key: group.name, value: section },
    { key: "contents", value: CONTENTS },
    { key: "version", value: VERSION },
    { key: "description", value: group.description, absent: "", isUsual: true },
    { key: "creation_host", value: group.creationHost, absent: "", isUsual: true },
    { key: "creation_time", value: group.creationTime, absent: 0, isUsual: true },
  ]);
}

/** Who made a description of a group, and when. */
export interface TextOrigin {
  /** A command line, or what else tells people why the group changed. */
  readonly description: string;
  readonly creationHost: string;
  /** Seconds since 1970. */
  readonly creationTime: number;
}

/**
 * The group's text as it goes to the metadata areas ("disk") or into a backup file ("file"): one character per byte, to be written
 * as Latin-1.
 */
export function encodeGroupText(group: VolumeGroup, origin: TextOrigin, style: TextStyle = "disk"): string {
  const described = {
    ...group,
    description: diskTextOf(origin.description, true),
    creationHost: diskTextOf(origin.creationHost, true),
    creationTime: origin.creationTime,
  };
  return diskTextOf(writeGroupText(encodeGroup(described), style), false);
}

/** The one section of the root: that of the group. */
function sectionOf(tree: ConfigSection): ConfigSection | null {
  for (const { value } of tree.entries.values()) if (isSection(value)) return value;
  return null;
}

function isSectionSlot(_key: string, value: unknown): boolean {
  return isSection(value as ConfigSection);
}

function encodeGroupSection(group: VolumeGroup, original: ConfigSection | null): ConfigSection {
  assert(group.extentSize % SECTOR === 0, "extents are whole sectors");
  return overlay(original, [
    { key: "id", value: group.uuid },
    { key: "seqno", value: group.seqno },
    { key: "format", value: "lvm2", absent: "lvm2", isUsual: true },
    ...flagFields(group),
    { key: "system_id", value: group.systemId, absent: "" },
    { key: "lock_type", value: group.lockType, absent: "" },
    { key: "extent_size", value: group.extentSize / SECTOR },
    { key: "max_lv", value: group.logicalVolumesMax, absent: 0, isUsual: true },
    { key: "max_pv", value: group.physicalVolumesMax, absent: 0, isUsual: true },
    { key: "allocation_policy", value: group.allocation, absent: "" },
    { key: "metadata_copies", value: group.metadataCopies, absent: 0, isUsual: true },
    {
      key: "physical_volumes",
      value: children(original, "physical_volumes", group.physicalVolumes, encodePhysicalVolume),
      absent: EMPTY,
      isUsual: true,
    },
    {
      key: "logical_volumes",
      value: children(original, "logical_volumes", group.logicalVolumes, encodeLogicalVolume),
      absent: EMPTY,
    },
  ]);
}

function children<One extends { readonly name: string }>(
  original: ConfigSection | null,
  key: string,
  ones: readonly One[],
  encode: (one: One) => ConfigSection,
): ConfigSection {
  assert(new Set(ones.map(({ name }) => name)).size === ones.length, `names of ${key} are unique`);
  const old = original?.entries.get(key)?.value;
  return fillSlots(
    old !== undefined && isSection(old) ? old : EMPTY,
    isSectionSlot,
    ones.map((one) => [one.name, encode(one)]),
  );
}

function encodePhysicalVolume(volume: PhysicalVolume): ConfigSection {
  return overlay(volume.section, [
    { key: "id", value: volume.uuid },
    { key: "device", value: volume.deviceHint, absent: "", isUsual: true },
    ...flagFields(volume),
    { key: "dev_size", value: volume.size / SECTOR, absent: 0 },
    { key: "pe_start", value: volume.dataOffset / SECTOR },
    { key: "pe_count", value: volume.extentCount },
  ]);
}

function encodeLogicalVolume(volume: LogicalVolume): ConfigSection {
  const section = overlay(volume.section, [
    { key: "id", value: volume.uuid },
    ...flagFields(volume),
    { key: "creation_time", value: volume.creationTime, absent: 0 },
    { key: "creation_host", value: volume.creationHost, absent: "", isUsual: volume.creationTime > 0 },
    { key: "allocation_policy", value: volume.allocation, absent: "" },
    { key: "segment_count", value: volume.segments.length },
  ]);
  return fillSlots(
    section,
    (key, value) => isSection(value) && key.startsWith("segment"),
    volume.segments.map((segment, index) => [`segment${index + 1}`, encodeSegment(segment)]),
  );
}

function encodeSegment(segment: Segment): ConfigSection {
  return overlay(segment.section, [
    { key: "start_extent", value: segment.startExtent },
    { key: "extent_count", value: segment.extentCount },
    { key: "type", value: [segment.type, ...segment.typeFlags].join("+") },
    { key: "tags", value: segment.tags, absent: [] },
    ...mappingFields(segment),
  ]);
}

function flagFields(one: {
  readonly status: readonly string[];
  readonly flags: readonly string[];
  readonly tags: readonly string[];
}): Field[] {
  return [
    { key: "status", value: one.status, absent: [], isUsual: true },
    { key: "flags", value: one.flags, absent: [], isUsual: true },
    { key: "tags", value: one.tags, absent: [] },
  ];
}
