import { CevError } from "@cev/core";
import type { PvNames } from "../allocate/places.ts";
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from "../model/group.ts";
import type { Mapping } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";
import { show } from "../text/parser.ts";
import { isValidName } from "../text/section-reader.ts";

/** What a change of a group takes from outside, so that the same request gives the same group. */
export interface ChangeInputs {
  /** What the user calls the physical volumes. */
  readonly names: PvNames;
  /** With dashes; another one each time. */
  newUuid(): string;
  /** Seconds since 1970. */
  readonly now: number;
  readonly hostname: string;
}

/** Bytes that must be on a physical volume before the new text counts; the extents are free until then. */
export interface Fill {
  /** Such as "zeroes for root". */
  readonly what: string;
  readonly physicalVolume: PhysicalVolume;
  /** Byte offset on the device. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A group as it is to become. */
export interface GroupChange {
  readonly group: VolumeGroup;
  /** As LVM2 says it, a line each. */
  readonly messages: readonly string[];
  readonly warnings: readonly string[];
  readonly fills: readonly Fill[];
}

/** A change that writes nothing but the text. */
export function plainChange(
  group: VolumeGroup,
  messages: readonly string[],
  warnings: readonly string[] = [],
): GroupChange {
  return { group, messages, warnings, fills: [] };
}

/** A refusal: the request cannot be met as it stands. */
export function refuse(message: string, hint?: string): never {
  throw new CevError("CEV_INVALID", message, hint === undefined ? {} : { hint });
}

/** A segment that LVM2 has not seen yet. */
export function newSegment(
  type: string,
  startExtent: number,
  extentCount: number,
  mapping: Mapping,
): Segment {
  const section = { entries: new Map(), offset: 0 };
  return { startExtent, extentCount, type, typeFlags: [], mapping, tags: [], section };
}

/** A volume that LVM2 has not seen yet. */
export function newVolume(
  name: string,
  segments: readonly Segment[],
  inputs: ChangeInputs,
  rest: {
    readonly status: readonly string[];
    readonly tags?: readonly string[] | undefined;
    readonly allocation?: string | undefined;
  },
): LogicalVolume {
  return withSegments(
    {
      name,
      uuid: inputs.newUuid(),
      status: rest.status,
      flags: [],
      tags: rest.tags ?? [],
      isVisible: rest.status.includes("VISIBLE"),
      isWritable: rest.status.includes("WRITE"),
      creationTime: inputs.now,
      creationHost: inputs.hostname,
      allocation: rest.allocation ?? "",
      extentCount: 0,
      segments: [],
      section: null,
    },
    segments,
  );
}

/** The volume with other segments. */
export function withSegments(volume: LogicalVolume, segments: readonly Segment[]): LogicalVolume {
  return {
    ...volume,
    segments,
    extentCount: segments.reduce((sum, { extentCount }) => sum + extentCount, 0),
  };
}

/** The volume with other status flags. */
export function withStatus(volume: LogicalVolume, status: readonly string[]): LogicalVolume {
  return {
    ...volume,
    status,
    isVisible: status.includes("VISIBLE"),
    isWritable: status.includes("WRITE") || status.includes("WRITE_LOCKED"),
  };
}

/** The group with one of its volumes changed. */
export function withVolume(group: VolumeGroup, changed: LogicalVolume): VolumeGroup {
  return {
    ...group,
    logicalVolumes: group.logicalVolumes.map((volume) => (volume.uuid === changed.uuid ? changed : volume)),
  };
}

/** Throws `CEV_INVALID` for a name LVM2 does not let a group or volume have; `what` it is to name. */
export function checkName(name: string, what: string): void {
  if (!isValidName(name))
    refuse(
      `${show(name)} is no valid name of a ${what}`,
      "names have letters, digits and + _ . -, at most 127 of them, and do not begin with -",
    );
}

const TAG = /^[\w+.\-/=!:&#]{1,1024}$/;

/** Tags with some added and some taken away. Throws `CEV_INVALID` for one that LVM2 would not take. */
export function changeTags(
  tags: readonly string[],
  changes: {
    readonly addTags?: readonly string[] | undefined;
    readonly deleteTags?: readonly string[] | undefined;
  },
): readonly string[] {
  // LVM2 lets tags begin with the @ that marks them as such.
  const plain = (list: readonly string[] | undefined): readonly string[] =>
    (list ?? []).map((tag) => tag.replace(/^@/, ""));
  const added = plain(changes.addTags);
  const deleted = plain(changes.deleteTags);
  for (const tag of added)
    if (!TAG.test(tag) || tag.startsWith("-"))
      refuse(`${show(tag)} is no valid tag`, "tags have letters, digits and _ + . - / = ! : & #");
  return [...new Set([...tags.filter((tag) => !deleted.includes(tag)), ...added])];
}

/** The allocation policy as the text has it: "" for what is said where nothing is said. */
export function allocationText(policy: string | undefined, unsaid: "normal" | "inherit"): string | undefined {
  if (policy === undefined) return undefined;
  if (unsaid === "normal" && policy === "inherit") refuse("a group has no policy to inherit");
  return policy === unsaid ? "" : policy;
}
