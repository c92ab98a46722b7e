import { UsageError } from "../../usage-error.ts";
import { compareText } from "./column.ts";
import type { CellValue, Column, ColumnLevel, ReportRow } from "./column.ts";
import { LV_COLUMNS } from "./lv-columns.ts";
import { PV_COLUMNS } from "./pv-columns.ts";
import { SEGMENT_COLUMNS } from "./segment-columns.ts";
import { tableLines } from "./table.ts";
import type { TableStyle } from "./table.ts";
import { sizeField } from "./units.ts";
import type { SizeUnits } from "./units.ts";
import { VG_COLUMNS } from "./vg-columns.ts";

/** What a report is about. */
export type ReportKind = "pvs" | "vgs" | "lvs";

/** The columns and the order of a report, as they were asked for. */
export interface ReportPlan {
  readonly columns: readonly Column[];
  readonly order: readonly SortKey[];
}

interface SortKey {
  readonly column: Column;
  readonly isDescending: boolean;
}

const ALL: readonly Column[] = [...PV_COLUMNS, ...VG_COLUMNS, ...LV_COLUMNS, ...SEGMENT_COLUMNS];

const DEFAULT_COLUMNS: Readonly<Record<ReportKind, string>> = {
  pvs: "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free",
  vgs: "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free",
  lvs: "lv_name,vg_name,lv_attr,lv_size,pool_lv,origin,data_percent,metadata_percent,move_pv,mirror_log,copy_percent,convert_lv",
};
const SEGMENT_DEFAULT_COLUMNS: Readonly<Record<ReportKind, string>> = {
  pvs: `${DEFAULT_COLUMNS.pvs},pvseg_start,pvseg_size`,
  vgs: DEFAULT_COLUMNS.vgs,
  lvs: "lv_name,vg_name,lv_attr,stripes,segtype,seg_size",
};
/** With `-v`. */
const VERBOSE_COLUMNS: Readonly<Record<ReportKind, string>> = {
  pvs: `${DEFAULT_COLUMNS.pvs},dev_size,pv_uuid`,
  vgs: "vg_name,vg_attr,vg_extent_size,pv_count,lv_count,snap_count,vg_size,vg_free,vg_uuid,vg_profile",
  lvs:
    "lv_name,vg_name,seg_count,lv_attr,lv_size,lv_major,lv_minor,lv_kernel_major,lv_kernel_minor,pool_lv,origin,data_percent," +
    "metadata_percent,move_pv,copy_percent,mirror_log,convert_lv,lv_uuid,lv_profile",
};
const DEFAULT_ORDER: Readonly<Record<ReportKind, string>> = {
  pvs: "pv_name,pvseg_start",
  vgs: "vg_name",
  lvs: "vg_name,lv_name,seg_start_pe",
};
const OWN_PREFIX: Readonly<Record<ReportKind, string>> = { pvs: "pv_", vgs: "vg_", lvs: "lv_" };

/** Which columns in which order: from `-o`, `-O` and `--segments`. */
export function planReport(
  kind: ReportKind,
  options: {
    readonly columns: readonly string[];
    readonly order: string | null;
    readonly hasSegments: boolean;
    readonly isVerbose: boolean;
  },
): ReportPlan {
  const plain = options.isVerbose ? VERBOSE_COLUMNS : DEFAULT_COLUMNS;
  const defaults = (options.hasSegments ? SEGMENT_DEFAULT_COLUMNS : plain)[kind];
  let columns = named(kind, defaults);
  for (const text of options.columns) {
    const list = named(kind, text.replace(/^[+-]/, ""));
    if (text.startsWith("+")) columns = [...columns, ...list];
    else if (text.startsWith("-")) columns = columns.filter((one) => !list.includes(one));
    else columns = list;
  }
  if (columns.length === 0) throw new UsageError("no column is left to show");
  return { columns, order: sortKeys(kind, options.order ?? DEFAULT_ORDER[kind]) };
}

function named(kind: ReportKind, list: string): Column[] {
  return list
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .flatMap((text) => columnsOf(kind, text));
}

/** A column by its name, with or without underscores and the report's own prefix; or all of a kind: "lv_all". */
function columnsOf(kind: ReportKind, text: string): readonly Column[] {
  const plain = text.toLowerCase().replaceAll("_", "");
  const groups: Readonly<Record<string, readonly Column[]>> = {
    pvall: PV_COLUMNS.filter(({ level }) => level === "pv"),
    pvsegall: PV_COLUMNS.filter(({ level }) => level === "run"),
    vgall: VG_COLUMNS,
    lvall: LV_COLUMNS,
    segall: SEGMENT_COLUMNS,
  };
  const all = plain === "all" ? groups[`${OWN_PREFIX[kind].slice(0, 2)}all`] : groups[plain];
  if (all !== undefined) return all;
  const fits = (name: string): boolean => name.replaceAll("_", "") === plain;
  const prefix = OWN_PREFIX[kind];
  const found =
    ALL.find(({ name }) => fits(name)) ??
    ALL.find(({ name }) => name.startsWith(prefix) && fits(name.slice(prefix.length))) ??
    ALL.find(({ name }) => SYNONYMS[name]?.some(fits) === true);
  if (found === undefined)
    throw new UsageError(`there is no column ${text}: cev lvm ${kind} -o help lists them`);
  return [found];
}

/** Further names that LVM2 takes. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = { vg_systemid: ["vg_sysid"] };

function sortKeys(kind: ReportKind, list: string): SortKey[] {
  return list
    .split(",")
    .filter((text) => text !== "")
    .flatMap((text) =>
      columnsOf(kind, text.replace(/^[+-]/, "")).map((column) => ({
        column,
        isDescending: text.startsWith("-"),
      })),
    );
}

/** What `-o help` prints: the names of all columns, with their headings. */
export function columnHelp(): string[] {
  return [
    ...["Physical volumes", PV_COLUMNS.filter(({ level }) => level === "pv")],
    ...["Runs of extents of physical volumes (pvs)", PV_COLUMNS.filter(({ level }) => level === "run")],
    ...["Volume groups", VG_COLUMNS],
    ...["Logical volumes", LV_COLUMNS],
    ...["Segments of logical volumes", SEGMENT_COLUMNS],
  ].flatMap((part) =>
    typeof part === "string" ? [part] : part.map(({ name, heading }) => `  ${name.padEnd(22)} ${heading}`),
  );
}

/** True where a line is needed for each of something. */
export function needs({ columns }: ReportPlan, level: ColumnLevel): boolean {
  return columns.some((column) => column.level === level);
}

/** The lines of a report as a table. */
export function reportLines(
  rows: readonly ReportRow[],
  { columns, order }: ReportPlan,
  units: SizeUnits,
  style: TableStyle,
): string[] {
  const sorted = inOrder(rows, order);
  if (sorted.length === 0) return [];
  const cells = columns.map((column) => ({
    heading: column.heading,
    width: column.width,
    isRight: column.kind !== "text",
    cells: sorted.map((row) => cellText(column, row, units)),
  }));
  return tableLines(cells, sorted.length, style);
}

/** The rows of a report as LVM2's JSON has them: everything is text. */
export function reportJson(
  rows: readonly ReportRow[],
  { columns, order }: ReportPlan,
  units: SizeUnits,
): Record<string, string>[] {
  return inOrder(rows, order).map((row) =>
    Object.fromEntries(columns.map((column) => [column.name, cellText(column, row, units)])),
  );
}

function cellText(column: Column, row: ReportRow, units: SizeUnits): string {
  if (column.shown !== undefined) return column.shown(row);
  const value = column.value(row);
  if (value === null) return column.shownIfEmpty ?? "";
  return column.kind === "size" && typeof value === "number" ? sizeField(value, units) : String(value);
}

function inOrder(rows: readonly ReportRow[], order: readonly SortKey[]): ReportRow[] {
  return rows.toSorted((left, right) => {
    for (const { column, isDescending } of order) {
      const side = compareValues(column.value(left), column.value(right));
      if (side !== 0) return isDescending ? -side : side;
    }
    return 0;
  });
}

function compareValues(left: CellValue, right: CellValue): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  return compareText(String(left ?? ""), String(right ?? ""));
}
