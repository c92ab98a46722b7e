import type { ConfigScalar, ConfigValue } from "./parser.ts";

const UNITS = ["Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Petabytes", "Exabytes"];
const DEPTH_VOLUME = 3;
const DEPTH_SEGMENT = 4;

/** One line of a group's text. */
export interface CommentedLine {
  readonly key: string;
  readonly value: ConfigScalar | readonly ConfigScalar[];
  /** 0: the root, 1: the group, 3: a volume, 4: a segment. */
  readonly depth: number;
  /** Of a segment; elsewhere undefined. */
  readonly type: ConfigValue | undefined;
  readonly extentSectors: number;
}

/** What LVM2 says to people behind a line of its backup files; null: nothing. */
export function commentOf({ key, value, depth, type, extentSectors }: CommentedLine): string | null {
  if (key === "format" && depth === 1) return "informational";
  if (key === "device" && depth === DEPTH_VOLUME) return "Hint only";
  if (typeof value !== "number") return null;
  if (depth === 1) return key === "extent_size" ? sizeOf(value) : null;
  if (key === "creation_time") return depth === 0 ? timeOf(value) : stampOf(value);
  if (depth === DEPTH_VOLUME) {
    if (key === "read_ahead") return value === -1 ? "None" : null;
    if (key === "dev_size" || key === "ba_size") return sizeOf(value);
    return key === "pe_count" ? sizeOf(value * extentSectors) : null;
  }
  if (depth !== DEPTH_SEGMENT) return null;
  if (key === "stripe_size") return type === "striped" ? sizeOf(value) : null;
  if (key === "chunk_size") return type === "thin-pool" ? sizeOf(value) : null;
  if (key === "extent_count" || key === "reshape_count" || key === "extents_moved")
    return sizeOf(value * extentSectors);
  if (key === "stripe_count") return value === 1 ? "linear" : null;
  return null;
}

/** Sectors as people like them: "4 Megabytes". */
export function sizeOf(sectors: number): string {
  let size = sectors / 2;
  let unit = 0;
  while (size > 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${Number(size.toPrecision(6))} ${UNITS[unit]}`;
}

/** "Mon Nov 23 06:22:30 2026", in UTC. */
export function timeOf(seconds: number): string {
  const [day = "", date = "", month = "", year = "", time = ""] = utc(seconds).split(/,? /);
  return `${day} ${month} ${date.replace(/^0/, " ")} ${time} ${year}`;
}

function utc(seconds: number): string {
  const date = new Date(seconds * 1000);
  // What is past the calendar's end is no time that anybody wrote.
  return Number.isNaN(date.getTime()) ? "" : date.toUTCString();
}

function stampOf(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return null;
  return `${date.toISOString().slice(0, 19).replace("T", " ")} +0000`;
}
