import { SIZE_MAX } from "@cev/core";
import { SECTOR } from "../disk/bytes.ts";
import { checkLayout } from "./layout-check.ts";
import { checkReferences } from "./references.ts";
import { SectionReader, isValidName } from "../text/section-reader.ts";
import { decodeSegments } from "./segments.ts";
import type { Segment } from "./segments.ts";
import { parseText, show } from "../text/parser.ts";
import type { ConfigSection } from "../text/parser.ts";

/** A 32-bit count, as LVM2 keeps extents and sequence numbers. */
export const COUNT_MAX: number = 2 ** 32 - 1;

/** A physical volume as its group knows it. */
export interface PhysicalVolume {
  /** Within the metadata: "pv0". */
  readonly name: string;
  /** With dashes. */
  readonly uuid: string;
  /** The path it had when the group was last changed: a hint for people. */
  readonly deviceHint: string;
  /** Bytes; 0 where the metadata does not say. */
  readonly size: number;
  /** Byte offset of the first extent. */
  readonly dataOffset: number;
  readonly extentCount: number;
  readonly status: readonly string[];
  readonly flags: readonly string[];
  readonly tags: readonly string[];
  /** It was missing when the group was last changed, so what it holds may be out of date. */
  readonly isMarkedMissing: boolean;
  /** As it was written, with the keys that are not known; null: it is new. */
  readonly section: ConfigSection | null;
}

/** A logical volume with its segments, which cover it without a gap. */
export interface LogicalVolume {
  readonly name: string;
  /** With dashes. */
  readonly uuid: string;
  readonly status: readonly string[];
  readonly flags: readonly string[];
  readonly tags: readonly string[];
  readonly isVisible: boolean;
  readonly isWritable: boolean;
  /** Seconds since 1970; 0 where the metadata does not say. */
  readonly creationTime: number;
  readonly creationHost: string;
  /** Allocation policy: "contiguous", "normal", "anywhere"…; "": as the group has it. */
  readonly allocation: string;
  readonly extentCount: number;
  readonly segments: readonly Segment[];
  /** As it was written, with the keys that are not known; null: it is new. */
  readonly section: ConfigSection | null;
}

/** A volume group as one copy of its metadata describes it, checked in itself. */
export interface VolumeGroup {
  readonly name: string;
  /** With dashes. */
  readonly uuid: string;
  /** Grows with every change of the group. */
  readonly seqno: number;
  /** Bytes. */
  readonly extentSize: number;
  readonly status: readonly string[];
  readonly flags: readonly string[];
  readonly tags: readonly string[];
  readonly systemId: string;
  /** How hosts that share the group lock it; "" or "none": they do not. */
  readonly lockType: string;
  /** Allocation policy: "contiguous", "normal", "anywhere"…; "": not said, which means normal. */
  readonly allocation: string;
  /** The most volumes it may have; 0: any number. */
  readonly logicalVolumesMax: number;
  readonly physicalVolumesMax: number;
  /** How many metadata areas are to be in use; 0: all. */
  readonly metadataCopies: number;
  /** What made this description of the group: a command line. */
  readonly description: string;
  readonly creationHost: string;
  /** Seconds since 1970. */
  readonly creationTime: number;
  readonly physicalVolumes: readonly PhysicalVolume[];
  readonly logicalVolumes: readonly LogicalVolume[];
  /** The whole text, unknown keys included; null: the group is new. */
  readonly tree: ConfigSection | null;
}

/** What identifies a copy of the metadata, before all of it is looked at. */
export interface GroupIdentity {
  readonly name: string;
  readonly uuid: string;
  readonly seqno: number;
  readonly text: string;
  readonly tree: ConfigSection;
}

/** What the first lines of every metadata text say. */
export const CONTENTS = "Text Format Volume Group";
export const VERSION = 1;

/**
 * True where the flags of a group or volume allow writing. With `WRITE_LOCKED` instead of `WRITE` only programs that do not
 * know that flag are kept from writing.
 */
export function isWritable(status: readonly string[], flags: readonly string[]): boolean {
  return status.includes("WRITE") || status.includes("WRITE_LOCKED") || flags.includes("WRITE_LOCKED");
}

/** Parses a metadata text as far as to say which group it describes. Throws a `TextError`. */
export function identifyGroup(text: string): GroupIdentity {
  const tree = parseText(text);
  const root = new SectionReader(text, tree, "the metadata");
  if (root.string("contents") !== CONTENTS) root.fail("contents", `is not ${show(CONTENTS)}`);
  if (root.integer("version", 0, COUNT_MAX) !== VERSION) root.fail("version", `is not ${VERSION}`);
  const { name, reader } = groupSection(root);
  return { name, uuid: reader.uuid("id"), seqno: reader.integer("seqno", 0, COUNT_MAX), text, tree };
}

function groupSection(root: SectionReader): { readonly name: string; readonly reader: SectionReader } {
  const sections = root.children("volume group");
  const [group, other] = sections;
  if (group === undefined) root.failAt(0, "the metadata describe no volume group");
  if (other !== undefined) root.failAt(other.offset, "the metadata describe a second volume group");
  if (!isValidName(group.name)) root.failAt(group.offset, "this is no valid name of a volume group");
  return group;
}

/** Makes the model of a group and checks that it holds together. Throws a `TextError`. */
export function decodeGroup(identity: GroupIdentity): VolumeGroup {
  const { text, tree, name, uuid, seqno } = identity;
  const root = new SectionReader(text, tree, "the metadata");
  const { reader } = groupSection(root);
  const format = reader.string("format", "lvm2");
  if (format !== "lvm2") reader.fail("format", `is ${show(format)}, not "lvm2"`);
  const extentSize = reader.integer("extent_size", 1, COUNT_MAX) * SECTOR;
  const physicalVolumes = decodePhysicalVolumes(reader, extentSize);
  const names = new Map(physicalVolumes.map((volume) => [volume.name, volume]));
  const logicalVolumes = decodeLogicalVolumes(reader, names);
  const group: VolumeGroup = {
    name,
    uuid,
    seqno,
    extentSize,
    status: reader.strings("status"),
    flags: reader.strings("flags"),
    tags: reader.strings("tags"),
    systemId: reader.string("system_id", ""),
    lockType: reader.string("lock_type", ""),
    allocation: reader.string("allocation_policy", ""),
    logicalVolumesMax: reader.integer("max_lv", 0, COUNT_MAX, 0),
    physicalVolumesMax: reader.integer("max_pv", 0, COUNT_MAX, 0),
    metadataCopies: reader.integer("metadata_copies", 0, COUNT_MAX, 0),
    description: root.string("description", ""),
    creationHost: root.string("creation_host", ""),
    creationTime: root.integer("creation_time", 0, Number.MAX_SAFE_INTEGER, 0),
    physicalVolumes,
    logicalVolumes,
    tree,
  };
  checkReferences(group, text);
  checkLayout(group, text);
  return group;
}

function decodePhysicalVolumes(group: SectionReader, extentSize: number): PhysicalVolume[] {
  const section = group.child("physical_volumes", "physical_volumes");
  const uuids = new Set<string>();
  return (section?.children("physical volume") ?? []).map(({ name, reader }) => {
    const uuid = reader.uuid("id");
    if (uuids.has(uuid)) reader.fail("id", "is that of another physical volume, too");
    uuids.add(uuid);
    const dataOffset = reader.integer("pe_start", 0, SIZE_MAX / SECTOR) * SECTOR;
    const extentCount = reader.integer("pe_count", 0, COUNT_MAX);
    const size = reader.integer("dev_size", 0, SIZE_MAX / SECTOR, 0) * SECTOR;
    const end = dataOffset + extentCount * extentSize;
    if (end > SIZE_MAX || (size > 0 && end > size))
      reader.fail("pe_count", `puts extents beyond the end of the physical volume`);
    const flags = reader.strings("flags");
    const status = reader.strings("status");
    return {
      name,
      uuid,
      deviceHint: reader.string("device", ""),
      size,
      dataOffset,
      extentCount,
      status,
      flags,
      tags: reader.strings("tags"),
      isMarkedMissing: flags.includes("MISSING") || status.includes("MISSING"),
      section: reader.section,
    };
  });
}

function decodeLogicalVolumes(
  group: SectionReader,
  physicalVolumes: ReadonlyMap<string, PhysicalVolume>,
): LogicalVolume[] {
  const section = group.child("logical_volumes", "logical_volumes");
  const uuids = new Set<string>();
  return (section?.children("logical volume") ?? []).map(({ name, offset, reader }) => {
    if (!isValidName(name)) reader.failAt(offset, "this is no valid name of a logical volume");
    const uuid = reader.uuid("id");
    if (uuids.has(uuid)) reader.fail("id", "is that of another logical volume, too");
    uuids.add(uuid);
    const status = reader.strings("status");
    const flags = reader.strings("flags");
    const segments = decodeSegments(reader, physicalVolumes);
    return {
      name,
      uuid,
      status,
      flags,
      tags: reader.strings("tags"),
      isVisible: status.includes("VISIBLE"),
      isWritable: isWritable(status, flags),
      creationTime: reader.integer("creation_time", 0, Number.MAX_SAFE_INTEGER, 0),
      creationHost: reader.string("creation_host", ""),
      allocation: reader.string("allocation_policy", ""),
      extentCount: segments.reduce((sum, { extentCount }) => sum + extentCount, 0),
      segments,
      section: reader.section,
    };
  });
}
