import { dashUuid } from "@cev/lvm";
import { PV_IN_USE, pvAttributes } from "./attributes.ts";
import { pvColumn, runColumn, tagList, word } from "./column.ts";
import type { Column } from "./column.ts";
import { UNKNOWN_NAME } from "./group-view.ts";
import type { PvView } from "./group-view.ts";
import { metadataFree } from "./metadata-room.ts";

/** Columns about physical volumes and their runs of extents. */
export const PV_COLUMNS: readonly Column[] = [
  pvColumn("pv_fmt", "Fmt", "text", () => "lvm2"),
  pvColumn("pv_uuid", "PV UUID", "text", uuidOf, 38),
  pvColumn("dev_size", "DevSize", "size", ({ found }) => found?.size ?? 0),
  {
    // As LVM2 has it: what was not found comes last.
    ...pvColumn("pv_name", "PV", "text", ({ found }) => found?.name ?? "\u{10ffff}", 10),
    shown: ({ pv }) => (pv === null ? "" : (pv.found?.name ?? UNKNOWN_NAME)),
  },
  pvColumn("pv_major", "Maj", "number", () => -1),
  pvColumn("pv_minor", "Min", "number", () => -1),
  pvColumn("pv_mda_free", "PMdaFree", "size", ({ found }) => metadataFree(found?.scan ?? null), 9),
  pvColumn("pv_mda_size", "PMdaSize", "size", metadataSize, 9),
  pvColumn("pv_ext_vsn", "PExtVsn", "number", ({ found }) => found?.scan.label.extension?.version ?? null),
  pvColumn("pe_start", "1st PE", "size", (pv) => pv.physicalVolume?.dataOffset ?? firstDataArea(pv), 7),
  pvColumn("pv_size", "PSize", "size", (pv) =>
    pv.physicalVolume === null || pv.physicalVolume.extentCount === 0
      ? labelledSize(pv)
      : pv.physicalVolume.extentCount * extentSize(pv),
  ),
  pvColumn("pv_free", "PFree", "size", freeSize),
  pvColumn("pv_used", "Used", "size", (pv) => allocated(pv) * extentSize(pv)),
  pvColumn("pv_attr", "Attr", "text", pvAttributes),
  pvColumn("pv_allocatable", "Allocatable", "flag", (pv) =>
    word(pvAttributes(pv).startsWith("a"), "allocatable"),
  ),
  pvColumn("pv_exported", "Exported", "flag", (pv) => word(pvAttributes(pv)[1] === "x", "exported"), 10),
  pvColumn("pv_missing", "Missing", "flag", (pv) => word(pv.state !== "present", "missing"), 10),
  pvColumn("pv_pe_count", "PE", "number", ({ physicalVolume }) => physicalVolume?.extentCount ?? 0, 3),
  pvColumn("pv_pe_alloc_count", "Alloc", "number", allocated),
  pvColumn("pv_tags", "PV Tags", "text", ({ physicalVolume }) => tagList(physicalVolume?.tags ?? [])),
  pvColumn("pv_mda_count", "#PMda", "number", ({ found }) => found?.scan.areas.length ?? 0),
  pvColumn(
    "pv_mda_used_count",
    "#PMdaUse",
    "number",
    ({ found }) => found?.scan.areas.filter(({ isIgnored }) => !isIgnored).length ?? 0,
  ),
  pvColumn("pv_ba_start", "BA Start", "size", (pv) => bootloaderArea(pv)?.offset ?? 0),
  pvColumn("pv_ba_size", "BA Size", "size", (pv) => bootloaderArea(pv)?.size ?? 0),
  pvColumn("pv_in_use", "PInUse", "flag", (pv) => word(isInUse(pv), "used")),
  pvColumn("pv_duplicate", "Duplicate", "flag", () => ""),
  runColumn("pvseg_start", "Start", "number", (run) => run?.startExtent ?? 0),
  runColumn("pvseg_size", "SSize", "number", (run) => run?.extentCount ?? 0),
];

function uuidOf({ physicalVolume, found }: PvView): string {
  return physicalVolume?.uuid ?? dashUuid(found!.scan.label.uuid);
}

const extentSize = ({ group }: PvView): number => group?.group.extentSize ?? 0;
const labelledSize = ({ found }: PvView): number => found?.scan.label.deviceSize ?? 0;
const firstDataArea = ({ found }: PvView): number => found?.scan.label.dataAreas[0]?.offset ?? 0;
const bootloaderArea = ({ found }: PvView): { offset: number; size: number } | undefined =>
  found?.scan.label.extension?.bootloaderAreas[0];

function allocated({ group, physicalVolume }: PvView): number {
  return group === null || physicalVolume === null ? 0 : group.usedExtents(physicalVolume);
}

function isInUse({ physicalVolume, found }: PvView): boolean {
  return physicalVolume !== null || ((found?.scan.label.extension?.flags ?? 0) & PV_IN_USE) !== 0;
}

function freeSize(pv: PvView): number {
  if (pv.physicalVolume !== null && pv.physicalVolume.extentCount > 0)
    return (pv.physicalVolume.extentCount - allocated(pv)) * extentSize(pv);
  return pv.physicalVolume === null && isInUse(pv) ? 0 : labelledSize(pv);
}

function metadataSize({ found }: PvView): number {
  const sizes = found?.scan.areas.map(({ area }) => area.size) ?? [];
  return sizes.length === 0 ? 0 : Math.min(...sizes);
}
