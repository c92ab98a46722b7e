import type { ErrorCode } from "@cev/core";
import type { AssembledGroup, Member } from "./assemble.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { Segment } from "../model/segments.ts";
import { isValidName } from "../text/section-reader.ts";
import { show } from "../text/parser.ts";
import { isList, isSection } from "../text/writer.ts";

/** Whether a volume can be opened. */
export type Availability =
  | {
      readonly canOpen: true;
      /** Why it is read-only; null: it is not. */
      readonly readOnlyReason: string | null;
    }
  | { readonly canOpen: false; readonly code: ErrorCode; readonly reason: string };

// Flags that do not change where the data of a linear or striped volume lies, or how it is to be written.
const VOLUME_STATUS: readonly string[] = [
  "READ",
  "WRITE",
  "WRITE_LOCKED",
  "VISIBLE",
  "FIXED_MINOR",
  "ACTIVATION_SKIP",
  "NOTSYNCED",
];
const GROUP_STATUS: readonly string[] = [
  "EXPORTED",
  "RESIZEABLE",
  "READ",
  "WRITE",
  "WRITE_LOCKED",
  "CLUSTERED",
  "SHARED",
  // Volumes that are being moved lie on a volume made for that, and are refused one by one.
  "PVMOVE",
];
// Keys of segments whose strings name no volume.
const NO_NAMES: readonly string[] = ["type", "tags", "discards", "cache_mode", "policy", "cache_policy"];

/** A status flag of the group that is not known; null: all are. Such a group is left alone. */
export function unknownGroupFlag(group: VolumeGroup): string | null {
  return group.status.find((flag) => !GROUP_STATUS.includes(flag)) ?? null;
}

/**
 * The name users know a volume by. A snapshot is a visible volume of a name that LVM2 made up (`snapshot0`) over a hidden
 * one, its store, that has the snapshot's.
 */
export function shownName(volume: LogicalVolume): string {
  const [segment] = volume.segments;
  if (segment?.type !== "snapshot") return volume.name;
  const { mapping } = segment;
  return mapping.kind === "snapshot" && isValidName(mapping.store) ? mapping.store : volume.name;
}

/** How the volumes of a group use one another, and which of them can be opened. */
export class GroupAvailability {
  readonly #assembled: AssembledGroup;
  readonly #members: ReadonlyMap<string, Member>;
  /** By name of the volume that is used. */
  readonly #uses: ReadonlyMap<string, readonly Use[]>;

  constructor(assembled: AssembledGroup) {
    this.#assembled = assembled;
    this.#members = new Map(assembled.members.map((member) => [member.physicalVolume.name, member]));
    this.#uses = usesOf(assembled.group);
  }

  of(volume: LogicalVolume): Availability {
    const { group } = this.#assembled;
    const flag = volume.status.find((status) => !VOLUME_STATUS.includes(status));
    if (flag !== undefined) return refused("CEV_UNKNOWN_FEATURE", `has the status ${show(flag)}`);
    for (const { mapping, type } of volume.segments) {
      if (mapping.kind === "unknown")
        return refused("CEV_UNKNOWN_FEATURE", `${mapping.reason}; only LVM2 itself can open it`);
      if (mapping.kind !== "striped" || mapping.areas.some(({ kind }) => kind !== "physical"))
        return refused(
          "CEV_UNKNOWN_FEATURE",
          `has a segment of the type ${show(type)}; only LVM2 itself can open it`,
        );
    }
    if (volume.extentCount === 0) return refused("CEV_BAD_METADATA", "has no extents");
    const uses = this.#uses.get(volume.name) ?? [];
    const taken = uses.find(({ isOrigin }) => !isOrigin);
    if (taken !== undefined)
      return refused("CEV_UNKNOWN_FEATURE", `is a part of ${shownName(taken.volume)} (${taken.type})`);
    const missing = this.#missing(volume);
    if (missing !== null) return missing;
    return { canOpen: true, readOnlyReason: this.#readOnlyReason(group, volume, uses) };
  }

  #missing(volume: LogicalVolume): Availability | null {
    const missing = new Set<string>();
    let isPartial = false;
    for (const { mapping } of volume.segments) {
      if (mapping.kind !== "striped") continue;
      for (const area of mapping.areas) {
        if (area.kind !== "physical") continue;
        const { physicalVolume } = area;
        const isPresent = this.#members.get(physicalVolume.name)?.state === "present";
        if (isPresent) isPartial = true;
        else missing.add(physicalVolume.uuid);
      }
    }
    if (missing.size === 0) return null;
    const list = [...missing].join(", ");
    const are = missing.size === 1 ? "is" : "are";
    return refused(
      "CEV_DEGRADED",
      `${isPartial ? "is partial, and also" : "lies"} on ${list}, which ${are} missing; add what is missing`,
    );
  }

  #readOnlyReason(group: VolumeGroup, volume: LogicalVolume, uses: readonly Use[]): string | null {
    const origin = uses[0];
    if (origin !== undefined)
      return `writing to it would spoil ${shownName(origin.volume)}, which is made from it (${origin.type})`;
    if (group.status.includes("EXPORTED")) return "its group is exported";
    if (group.status.includes("CLUSTERED") || !["", "none"].includes(group.lockType))
      return "its group is shared by several hosts under a lock that is not taken here";
    if (!group.status.includes("WRITE") && !group.status.includes("WRITE_LOCKED"))
      return "its group may not be written";
    return volume.isWritable ? null : "it is not marked as writable";
  }
}

/** One volume names another in a segment. */
interface Use {
  readonly volume: LogicalVolume;
  readonly type: string;
  /** The one named is a base that is only read: reading it by itself is right, writing it is not. */
  readonly isOrigin: boolean;
}

function usesOf(group: VolumeGroup): Map<string, readonly Use[]> {
  const names = new Set(group.logicalVolumes.map(({ name }) => name));
  const physical = new Set(group.physicalVolumes.map(({ name }) => name));
  const uses = new Map<string, Use[]>();
  for (const volume of group.logicalVolumes) {
    for (const segment of volume.segments) {
      for (const { key, name } of namesIn(segment)) {
        if (!names.has(name) || (key === "stripes" && physical.has(name)) || name === volume.name) continue;
        const use = { volume, type: segment.type, isOrigin: isOriginKey(segment, key) };
        const list = uses.get(name);
        if (list === undefined) uses.set(name, [use]);
        else list.push(use);
      }
    }
  }
  return uses;
}

/** While a snapshot is merged, its origin is both: then reading it by itself is not right either. */
function isOriginKey(segment: Segment, key: string): boolean {
  if (key === "external_origin") return true;
  return (
    segment.type === "snapshot" &&
    key === "origin" &&
    !(segment.mapping.kind === "snapshot" && segment.mapping.isMerging)
  );
}

function namesIn(segment: Segment): { readonly key: string; readonly name: string }[] {
  const names: { key: string; name: string }[] = [];
  for (const [key, { value }] of segment.section.entries) {
    if (NO_NAMES.includes(key) || isSection(value)) continue;
    for (const item of isList(value) ? value : [value])
      if (typeof item === "string") names.push({ key, name: item });
  }
  return names;
}

function refused(code: ErrorCode, reason: string): Availability {
  return { canOpen: false, code, reason };
}
