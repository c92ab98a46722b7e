import { isWritable, vgAttributes } from "./attributes.ts";
import { tagList, vgColumn, word } from "./column.ts";
import type { Column } from "./column.ts";
import type { GroupView } from "./group-view.ts";
import { metadataFree } from "./metadata-room.ts";

/** Columns about volume groups. */
export const VG_COLUMNS: readonly Column[] = [
  vgColumn("vg_fmt", "Fmt", "text", () => "lvm2"),
  vgColumn("vg_uuid", "VG UUID", "text", ({ group }) => group.uuid, 38),
  vgColumn("vg_name", "VG", "text", ({ displayName }) => displayName),
  vgColumn("vg_attr", "Attr", "text", vgAttributes, 5),
  vgColumn(
    "vg_permissions",
    "VPerms",
    "text",
    ({ group }) => (isWritable(group) ? "writeable" : "read-only"),
    10,
  ),
  vgColumn("vg_extendable", "Extendable", "flag", (view) => word(has(view, "RESIZEABLE"), "extendable")),
  vgColumn("vg_exported", "Exported", "flag", (view) => word(has(view, "EXPORTED"), "exported"), 10),
  vgColumn("vg_partial", "Partial", "flag", (view) => word(missingCount(view) > 0, "partial"), 10),
  vgColumn(
    "vg_allocation_policy",
    "AllocPol",
    "text",
    ({ group }) => (group.allocation === "" ? "normal" : group.allocation),
    10,
  ),
  vgColumn("vg_autoactivation", "AutoAct", "flag", ({ group }) =>
    word(!group.flags.includes("NOAUTOACTIVATE"), "enabled"),
  ),
  vgColumn("vg_profile", "VProfile", "text", () => ""),
  vgColumn("vg_clustered", "Clustered", "flag", (view) => word(has(view, "CLUSTERED"), "clustered"), 10),
  vgColumn(
    "vg_shared",
    "Shared",
    "flag",
    ({ group }) => word(!["", "none"].includes(group.lockType), "shared"),
    7,
  ),
  vgColumn("vg_size", "VSize", "size", (view) => extentCount(view) * view.group.extentSize),
  vgColumn("vg_free", "VFree", "size", (view) => freeCount(view) * view.group.extentSize),
  vgColumn("vg_systemid", "System ID", "text", ({ group }) => group.systemId),
  vgColumn("vg_lock_type", "LockType", "text", ({ group }) =>
    group.lockType === "none" ? "" : group.lockType,
  ),
  vgColumn("vg_extent_size", "Ext", "size", ({ group }) => group.extentSize),
  vgColumn("vg_extent_count", "#Ext", "number", extentCount),
  vgColumn("vg_free_count", "Free", "number", freeCount),
  vgColumn("max_lv", "MaxLV", "number", ({ group }) => group.logicalVolumesMax),
  vgColumn("max_pv", "MaxPV", "number", ({ group }) => group.physicalVolumesMax),
  vgColumn("pv_count", "#PV", "number", ({ pvs }) => pvs.length),
  vgColumn("vg_missing_pv_count", "#PV Missing", "number", missingCount),
  vgColumn(
    "lv_count",
    "#LV",
    "number",
    (view) => view.listed.filter((volume) => view.isVisible(volume)).length,
  ),
  vgColumn(
    "snap_count",
    "#SN",
    "number",
    (view) => view.listed.filter(({ name }) => view.snapshotOn(name) !== null).length,
  ),
  vgColumn("vg_seqno", "Seq", "number", ({ group }) => group.seqno),
  vgColumn("vg_tags", "VG Tags", "text", ({ group }) => tagList(group.tags)),
  vgColumn("vg_mda_count", "#VMda", "number", (view) => areas(view).length),
  vgColumn(
    "vg_mda_used_count",
    "#VMdaUse",
    "number",
    (view) => areas(view).filter(({ isIgnored }) => !isIgnored).length,
  ),
  vgColumn("vg_mda_free", "VMdaFree", "size", (view) => smallest(scans(view).map(metadataFree)), 9),
  vgColumn(
    "vg_mda_size",
    "VMdaSize",
    "size",
    (view) => smallest(areas(view).map(({ area }) => area.size)),
    9,
  ),
  vgColumn("vg_mda_copies", "#VMdaCps", "text", ({ group }) =>
    group.metadataCopies === 0 ? "unmanaged" : String(group.metadataCopies),
  ),
];

const has = ({ group }: GroupView, status: string): boolean => group.status.includes(status);

const smallest = (sizes: readonly number[]): number => (sizes.length === 0 ? 0 : Math.min(...sizes));

function missingCount({ pvs }: GroupView): number {
  return pvs.filter(({ state }) => state !== "present").length;
}

function extentCount({ group }: GroupView): number {
  return group.physicalVolumes.reduce((sum, volume) => sum + volume.extentCount, 0);
}

function freeCount(view: GroupView): number {
  return view.group.physicalVolumes.reduce(
    (sum, volume) => sum + volume.extentCount - view.usedExtents(volume),
    0,
  );
}

type Scan = NonNullable<GroupView["pvs"][number]["found"]>["scan"];

/** Those with metadata areas. */
function scans({ pvs }: GroupView): Scan[] {
  return pvs.flatMap(({ found }) => (found === null || found.scan.areas.length === 0 ? [] : [found.scan]));
}

const areas = (view: GroupView): Scan["areas"] => scans(view).flatMap((scan) => scan.areas);
