import type { LogicalVolume, Segment } from "@cev/lvm";
import type { GroupView, PvView, Run } from "./group-view.ts";

/** What a line of a report is about: as much of it as the columns need. */
export interface ReportRow {
  readonly pv: PvView | null;
  readonly run: Run | null;
  readonly group: GroupView | null;
  readonly volume: LogicalVolume | null;
  readonly segment: Segment | null;
}

/** Which part of a row a column is about. */
export type ColumnLevel = "pv" | "run" | "vg" | "lv" | "segment";

/** A value as LVM2 sorts it; null: the cell stays empty. */
export type CellValue = string | number | null;

/** One column that a report can have. */
export interface Column {
  /** As `-o` names it, and as a key in JSON. */
  readonly name: string;
  readonly heading: string;
  readonly level: ColumnLevel;
  /** "size": bytes, shown in the units that were asked for. "flag": a word that is there or not. */
  readonly kind: "text" | "number" | "size" | "flag";
  /** At least so wide. */
  readonly width: number;
  readonly value: (row: ReportRow) => CellValue;
  /** How a text is shown where that is not what it is sorted by. */
  readonly shown?: (row: ReportRow) => string;
  /** What stands where there is no value. */
  readonly shownIfEmpty?: string;
}

/** A column about a part of the rows; rows without that part stay empty there. */
type Make<Part> = (
  name: string,
  heading: string,
  kind: Column["kind"],
  value: (part: Part) => CellValue,
  width?: number,
) => Column;

/** A volume with its group. */
export interface VolumeOf {
  readonly view: GroupView;
  readonly volume: LogicalVolume;
}

/** A segment with its volume and group. */
export interface SegmentOf extends VolumeOf {
  readonly segment: Segment;
}

export const pvColumn: Make<PvView> = (name, heading, kind, value, width = 0) =>
  column("pv", name, heading, kind, width, ({ pv }) => (pv === null ? null : value(pv)));

export const runColumn: Make<Run | null> = (name, heading, kind, value, width = 0) =>
  column("run", name, heading, kind, width, ({ run }) => value(run));

export const vgColumn: Make<GroupView> = (name, heading, kind, value, width = 0) =>
  column("vg", name, heading, kind, width, ({ group }) => (group === null ? null : value(group)));

export const lvColumn: Make<VolumeOf> = (name, heading, kind, value, width = 0) =>
  column("lv", name, heading, kind, width, ({ group, volume }) =>
    group === null || volume === null ? null : value({ view: group, volume }),
  );

export const segmentColumn: Make<SegmentOf> = (name, heading, kind, value, width = 0) =>
  column("segment", name, heading, kind, width, ({ group, volume, segment }) =>
    group === null || segment === null ? null : value({ view: group, volume: volume ?? NO_VOLUME, segment }),
  );

function column(
  level: ColumnLevel,
  name: string,
  heading: string,
  kind: Column["kind"],
  width: number,
  value: (row: ReportRow) => CellValue,
): Column {
  return { name, heading, level, kind, width, value };
}

/** What free extents belong to. */
const NO_VOLUME: LogicalVolume = {
  name: "",
  uuid: "",
  status: [],
  flags: [],
  tags: [],
  isVisible: true,
  isWritable: false,
  creationTime: 0,
  creationHost: "",
  allocation: "",
  extentCount: 0,
  segments: [],
  section: null,
};

/** Free extents as LVM2 lists them: a segment of the type "free". */
export function freeSegment(extentCount: number): Segment {
  return {
    startExtent: 0,
    extentCount,
    type: FREE,
    typeFlags: [],
    mapping: { kind: "unknown", reason: "is free" },
    tags: [],
    section: { entries: new Map(), offset: 0 },
  };
}

/** The type of free extents. */
export const FREE = "free";

/** Tags, as LVM2 lists them. */
export const tagList = (tags: readonly string[]): string => tags.toSorted(compareText).join(",");

/** The word for what holds, nothing for what does not. */
export const word = (holds: boolean, text: string): string => (holds ? text : "");

/** By code points, as LVM2 sorts. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
