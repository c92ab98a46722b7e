import type { LogicalVolume } from "@cev/lvm";
import { isPoolSpare } from "./attributes.ts";
import type { GroupView, Part } from "./group-view.ts";

const PART_ROLES: Readonly<Record<Part, readonly string[]>> = {
  "mirror image": ["mirror", "image"],
  "mirror log": ["mirror", "log"],
  "raid image": ["raid", "image"],
  "raid metadata": ["raid", "metadata"],
  "pool data": ["pool", "data"],
  "pool metadata": ["pool", "metadata"],
  "integrity metadata": ["integrity", "metadata"],
  "cached origin": ["cache", "origin", "cacheorigin"],
};

/** "raid,raid5,raid5_ls": how a volume is laid out, in LVM2's words. */
export function layoutOf({ segments }: LogicalVolume): string {
  const first = segments[0];
  switch (first?.mapping.kind) {
    case "striped":
      return segments.every(({ mapping }) => mapping.kind === "striped" && mapping.areas.length === 1)
        ? "linear"
        : "striped";
    case "mirror":
      return "mirror";
    case "raid":
      return raidLayout(first.type);
    case "thin-pool":
      return "thin,pool";
    case "thin":
      return "thin,sparse";
    default:
      return LAYOUTS[first?.type ?? ""] ?? "unknown";
  }
}

const LAYOUTS: Readonly<Record<string, string>> = {
  cache: "cache",
  "cache-pool": "cache,pool",
  writecache: "writecache",
  integrity: "integrity",
  vdo: "vdo",
  "vdo-pool": "vdo,pool",
};

const RAID_DEFAULTS: Readonly<Record<string, string>> = { raid5: "raid5_ls", raid6: "raid6_zr" };
const RAID_LAYOUTS_SHOWN = /^raid(5_(la|ra|ls|rs)|6_(zr|nr|nc))$/;

function raidLayout(type: string): string {
  const level = /^raid\d+/.exec(type)?.[0] ?? type;
  const layout = RAID_DEFAULTS[type] ?? type;
  return RAID_LAYOUTS_SHOWN.test(layout) ? `raid,${level},${layout}` : `raid,${level}`;
}

/** "private,raid,image", "public,origin,thickorigin": what a volume is there for, in LVM2's words. */
export function rolesOf(view: GroupView, volume: LogicalVolume): string {
  const { name, segments } = volume;
  const mapping = segments[0]?.mapping;
  const part = view.partOf(name);
  const roles: string[] = [];
  if (part !== null) {
    const type = part.owner.segments[0]?.type ?? "";
    if (part.part.startsWith("pool")) roles.push(type.replace(/-pool$/, ""));
    roles.push(...PART_ROLES[part.part]);
  } else if (isPoolSpare(volume)) roles.push("pool", "spare");
  const isPrivate = roles.length > 0 || (segments[0]?.type ?? "").endsWith("-pool");
  const thinSnapshots = view.thinSnapshotCount(name);
  if (thinSnapshots > 0)
    roles.push("origin", "thinorigin", ...(thinSnapshots > 1 ? ["multithinorigin"] : []));
  if (mapping?.kind === "thin" && (mapping.origin !== null || mapping.externalOrigin !== null))
    roles.push("snapshot", "thinsnapshot");
  const external = view.externalCount(name);
  if (external > 0) roles.push("origin", "extthinorigin", ...(external > 1 ? ["multiextthinorigin"] : []));
  const snapshots = view.snapshotCount(name);
  if (snapshots > 0) roles.push("origin", "thickorigin", ...(snapshots > 1 ? ["multithickorigin"] : []));
  else if (view.snapshotOn(name) !== null) roles.push("snapshot", "thicksnapshot");
  return [isPrivate ? "private" : "public", ...roles].join(",");
}

/** The kernel's modules that a volume needs beside those that are always there. */
export function modulesOf(view: GroupView, volume: LogicalVolume): string {
  if (view.snapshotOn(volume.name) !== null || view.snapshotCount(volume.name) > 0) return "snapshot";
  const first = volume.segments[0];
  switch (first?.mapping.kind) {
    case "raid":
      return "raid";
    case "thin":
      return "thin,thin-pool";
    case "striped":
    case undefined:
      return "";
    default:
      return first!.type;
  }
}
