import type { ErrorCode } from "@cev/core";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import { isWritable } from "../model/group.ts";
import { isValidName } from "../text/section-reader.ts";
import { show } from "../text/parser.ts";

/** Why a volume is not opened: `reason` goes on after "it". */
export interface Refusal {
  readonly code: ErrorCode;
  readonly reason: string;
}

// Flags that do not change where the data of a volume lies, or whose meaning is minded where it does.
const VOLUME_STATUS: readonly string[] = [
  "READ",
  "WRITE",
  "WRITE_LOCKED",
  "VISIBLE",
  "FIXED_MINOR",
  "ACTIVATION_SKIP",
  "NOTSYNCED",
  "ERROR_WHEN_FULL",
  "WRITEMOSTLY",
  "REBUILD",
  // Of volumes whose extents are being moved, and of the volume that is made for that.
  "LOCKED",
  "PVMOVE",
];
const GROUP_STATUS: readonly string[] = [
  "EXPORTED",
  "RESIZEABLE",
  "READ",
  "WRITE",
  "WRITE_LOCKED",
  "CLUSTERED",
  "SHARED",
  "PVMOVE",
];

/** A status flag of the group that is not known; null: all are. Such a group is left alone. */
export function unknownGroupFlag(group: VolumeGroup): string | null {
  return group.status.find((flag) => !GROUP_STATUS.includes(flag)) ?? null;
}

/** Why no volume of a group is to be written; null: there is no reason. */
export function groupReadOnlyReason(group: VolumeGroup): string | null {
  if (group.status.includes("EXPORTED")) return "its group is exported";
  if (group.status.includes("CLUSTERED") || !["", "none"].includes(group.lockType))
    return "its group is shared by several hosts under a lock that is not taken here";
  return isWritable(group.status, group.flags) ? null : "its group may not be written";
}

/** Why a volume cannot be opened whatever it is made of; null: it can. */
export function refusalOf({ status, segments, extentCount }: LogicalVolume): Refusal | null {
  const flag = status.find((one) => !VOLUME_STATUS.includes(one));
  if (flag !== undefined) return { code: "CEV_UNKNOWN_FEATURE", reason: `has the status ${show(flag)}` };
  for (const { mapping } of segments)
    if (mapping.kind === "unknown")
      return { code: "CEV_UNKNOWN_FEATURE", reason: `${mapping.reason}; only LVM2 itself can open it` };
  return extentCount === 0 ? { code: "CEV_BAD_METADATA", reason: "has no extents" } : null;
}

/**
 * The name users know a volume by. A snapshot is a visible volume of a name that LVM2 made up (`snapshot0`) over a hidden
 * one, its store, that has the snapshot's.
 */
export function shownName(volume: LogicalVolume): string {
  const mapping = volume.segments[0]?.mapping;
  return mapping?.kind === "snapshot" && isValidName(mapping.store) ? mapping.store : volume.name;
}
