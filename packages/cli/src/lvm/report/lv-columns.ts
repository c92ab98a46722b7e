import type { LogicalVolume } from "@cev/lvm";
import { isWritable, lvAttributes, poolOf } from "./attributes.ts";
import { lvColumn, tagList, word } from "./column.ts";
import type { Column, VolumeOf } from "./column.ts";
import { numberIn, stringIn } from "./group-view.ts";
import { layoutOf, modulesOf, rolesOf } from "./roles.ts";

const SECTOR = 512;

/** Columns about logical volumes. Those that only a running kernel knows (`LIVE`) stay empty. */
export const LV_COLUMNS: readonly Column[] = [
  lvColumn("lv_uuid", "LV UUID", "text", ({ volume }) => volume.uuid, 38),
  {
    ...lvColumn("lv_name", "LV", "text", ({ volume }) => volume.name, 4),
    shown: ({ group, volume }) =>
      group === null || volume === null ? "" : shownName({ view: group, volume }),
  },
  lvColumn("lv_full_name", "LV", "text", ({ view, volume }) => `${view.displayName}/${volume.name}`, 4),
  lvColumn("lv_path", "Path", "text", pathOf),
  lvColumn("lv_dm_path", "DMPath", "text", ({ view, volume }) => {
    const part = (name: string): string => name.replaceAll("-", "--");
    return `/dev/mapper/${part(view.group.name)}-${part(volume.name)}`;
  }),
  lvColumn("lv_parent", "Parent", "text", parentOf),
  lvColumn("lv_layout", "Layout", "text", ({ volume }) => layoutOf(volume), 10),
  lvColumn("lv_role", "Role", "text", ({ view, volume }) => rolesOf(view, volume), 10),
  lvColumn("lv_merging", "Merging", "flag", (one) => word(isMerging(one), "merging"), 10),
  lvColumn(
    "lv_allocation_policy",
    "AllocPol",
    "text",
    ({ volume }) => (volume.allocation === "" ? "inherit" : volume.allocation),
    10,
  ),
  lvColumn(
    "lv_skip_activation",
    "SkipAct",
    "flag",
    ({ volume }) => word(volume.flags.includes("ACTIVATION_SKIP"), "skip activation"),
    15,
  ),
  lvColumn("lv_autoactivation", "AutoAct", "flag", ({ volume }) =>
    word(!volume.flags.includes("NOAUTOACTIVATE"), "enabled"),
  ),
  lvColumn("lv_modules", "Modules", "text", ({ view, volume }) => modulesOf(view, volume)),
  lvColumn("lv_profile", "LProfile", "text", ({ volume }) => stringIn(volume.section, "profile") ?? ""),
  lvColumn("lv_when_full", "WhenFull", "text", whenFull, 15),
  lvColumn("lv_major", "Maj", "number", ({ volume }) => numberIn(volume.section, "major") ?? -1),
  lvColumn("lv_minor", "Min", "number", ({ volume }) => numberIn(volume.section, "minor") ?? -1),
  lvColumn("lv_size", "LSize", "size", sizeOf),
  lvColumn("lv_metadata_size", "MSize", "size", (one) => {
    const metadata = poolPart(one, "metadata");
    return metadata === null ? null : sizeOf({ ...one, volume: metadata });
  }),
  lvColumn("seg_count", "#Seg", "number", ({ volume }) => volume.segments.length),
  lvColumn("origin", "Origin", "text", (one) => nameIn(one, originOf(one))),
  lvColumn("origin_uuid", "Origin UUID", "text", (one) => originOf(one)?.uuid ?? "", 38),
  lvColumn("origin_size", "OSize", "size", (one) => {
    const { view, volume } = one;
    if (view.snapshotCount(volume.name) > 0) return sizeOf(one);
    const origin = view.snapshotOn(volume.name) === null ? externalOrigin(one) : originOf(one);
    return origin === null ? null : sizeOf({ view, volume: origin });
  }),
  lvColumn("move_pv", "Move", "text", moveSource),
  lvColumn("convert_lv", "Convert", "text", () => ""),
  lvColumn("mirror_log", "Log", "text", (one) => nameIn(one, mirrorLog(one))),
  lvColumn("mirror_log_uuid", "Log UUID", "text", (one) => mirrorLog(one)?.uuid ?? "", 38),
  lvColumn("data_lv", "Data", "text", (one) => nameIn(one, poolPart(one, "data"))),
  lvColumn("data_lv_uuid", "Data UUID", "text", (one) => poolPart(one, "data")?.uuid ?? "", 38),
  lvColumn("metadata_lv", "Meta", "text", (one) => nameIn(one, poolPart(one, "metadata"))),
  lvColumn("metadata_lv_uuid", "Meta UUID", "text", (one) => poolPart(one, "metadata")?.uuid ?? "", 38),
  lvColumn("pool_lv", "Pool", "text", (one) => nameIn(one, poolBelow(one))),
  lvColumn("pool_lv_uuid", "Pool UUID", "text", (one) => poolBelow(one)?.uuid ?? "", 38),
  lvColumn("lv_tags", "LV Tags", "text", ({ volume }) => tagList(volume.tags)),
  lvColumn("lv_time", "CTime", "text", ({ volume }) => timeText(volume.creationTime), 26),
  lvColumn("lv_host", "Host", "text", ({ volume }) => volume.creationHost, 10),
  lvColumn(
    "lv_permissions",
    "LPerms",
    "text",
    ({ volume }) => (isWritable(volume) ? "writeable" : "read-only"),
    8,
  ),
  lvColumn(
    "lv_health_status",
    "Health",
    "text",
    ({ view, volume }) => word(view.isPartial(volume), "partial"),
    15,
  ),
  lvColumn("lv_attr", "Attr", "text", ({ view, volume }) => lvAttributes(view, volume)),
  readAhead(),
  lvColumn("lv_kernel_major", "KMaj", "number", () => -1),
  lvColumn("lv_kernel_minor", "KMin", "number", () => -1),
  live("lv_active", "Active", "text", 0),
  live("data_percent", "Data%", "number", 6),
  live("snap_percent", "Snap%", "number", 6),
  live("metadata_percent", "Meta%", "number", 6),
  live("copy_percent", "Cpy%Sync", "number", 0),
  live("sync_percent", "Cpy%Sync", "number", 0),
  live("raid_mismatch_count", "Mismatches", "number", 0),
  live("raid_sync_action", "SyncAction", "text", 0),
];

/** What only a kernel knows in which the volume is active. */
function live(name: string, heading: string, kind: "text" | "number", width: number): Column {
  return lvColumn(name, heading, kind, () => null, width);
}

/** A setting in sectors, or the kernel's own choice. */
function readAhead(): Column {
  const column = lvColumn("lv_read_ahead", "Rahead", "size", ({ volume }) => {
    const sectors = numberIn(volume.section, "read_ahead");
    return sectors === null ? null : sectors * SECTOR;
  });
  return { ...column, shownIfEmpty: "auto" };
}

function sizeOf({ view, volume }: VolumeOf): number {
  return volume.extentCount * view.group.extentSize;
}

/** "root", "[root_rimage_0]": hidden volumes in brackets. */
export function shownName({ view, volume }: VolumeOf): string {
  return view.isVisible(volume) ? volume.name : `[${volume.name}]`;
}

function nameIn({ view }: VolumeOf, volume: LogicalVolume | null): string {
  return volume === null ? "" : shownName({ view, volume });
}

function pathOf({ view, volume }: VolumeOf): string {
  const isPool = (volume.segments[0]?.type ?? "").endsWith("-pool");
  return isPool || !view.isVisible(volume) ? "" : `/dev/${view.group.name}/${volume.name}`;
}

function parentOf(one: VolumeOf): string {
  const { view, volume } = one;
  return view.isVisible(volume) ? "" : nameIn(one, view.partOf(volume.name)?.owner ?? null);
}

function isMerging({ view, volume }: VolumeOf): boolean {
  const mapping = volume.segments[0]?.mapping;
  return (
    view.isMergingOrigin(volume.name) ||
    view.snapshotOn(volume.name)?.isMerging === true ||
    (mapping?.kind === "thin" && mapping.merge !== null)
  );
}

function whenFull({ volume }: VolumeOf): string {
  if (volume.segments[0]?.mapping.kind !== "thin-pool") return "";
  return volume.flags.includes("ERROR_WHEN_FULL") ? "error" : "queue";
}

/** What a snapshot was taken of, what a thin snapshot was, or what is cached. */
function originOf({ view, volume }: VolumeOf): LogicalVolume | null {
  const snapshot = view.snapshotOn(volume.name);
  if (snapshot !== null) return view.volume(snapshot.origin);
  const first = volume.segments[0];
  if (first?.mapping.kind === "thin") {
    const name = first.mapping.origin ?? first.mapping.externalOrigin;
    return name === null ? null : view.volume(name);
  }
  const cached = first?.mapping.kind === "unknown" ? stringIn(first.section, "origin") : null;
  return cached === null ? null : view.volume(cached);
}

function externalOrigin({ view, volume }: VolumeOf): LogicalVolume | null {
  const mapping = volume.segments[0]?.mapping;
  return mapping?.kind === "thin" && mapping.externalOrigin !== null
    ? view.volume(mapping.externalOrigin)
    : null;
}

function mirrorLog({ view, volume }: VolumeOf): LogicalVolume | null {
  const mapping = volume.segments[0]?.mapping;
  return mapping?.kind === "mirror" && mapping.log !== null ? view.volume(mapping.log) : null;
}

/** What a pool keeps its data or its metadata in. */
function poolPart({ view, volume }: VolumeOf, part: "data" | "metadata"): LogicalVolume | null {
  const first = volume.segments[0];
  if (first?.mapping.kind === "thin-pool") return view.volume(first.mapping[part]);
  const name = (first?.type ?? "").endsWith("-pool") ? stringIn(first?.section ?? null, part) : null;
  return name === null ? null : view.volume(name);
}

/** The pool that a volume lies in or is cached by; of a pool itself none. */
function poolBelow({ view, volume }: VolumeOf): LogicalVolume | null {
  const pool = poolOf(view, volume);
  if (pool !== null) return pool === volume ? null : pool;
  const { section = null, type = "" } = volume.segments[0] ?? {};
  const key =
    type === "cache" ? "cache_pool" : type === "vdo" ? "vdo_pool" : type === "writecache" ? "writecache" : "";
  const name = stringIn(section, key);
  return name === null ? null : view.volume(name);
}

/** Where extents come from that are being moved. */
function moveSource({ view, volume }: VolumeOf): string {
  const [first] = volume.segments;
  if (!volume.status.includes("PVMOVE") || first?.mapping.kind !== "mirror") return "";
  const [image] = first.mapping.images;
  return image?.kind === "physical" ? view.deviceName(image.physicalVolume) : "";
}

/** "2026-11-23 06:24:48 +0000", in the local zone. */
function timeText(seconds: number): string {
  if (seconds === 0) return "";
  const time = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const offset = -time.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone}`;
}
