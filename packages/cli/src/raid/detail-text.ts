import type { ArrayDetail, DetailRow } from "./array-detail.ts";
import { bothUnits, clockText, fieldLine } from "./mdadm-words.ts";

const WIDTH = 18;

/** The lines of `mdadm --detail`, without the numbers of device nodes, which mean nothing here. */
export function detailText(detail: ArrayDetail): string[] {
  const line = (name: string, value: string | number): string => fieldLine(name, value, WIDTH);
  const { members, leftOut, sync } = detail;
  const active = count(members, "active sync");
  const failed = count(members, "faulty");
  const spare = count(members, "spare", "spare rebuilding");
  const lines = [
    `${detail.device}:`,
    line("Version", detail.metadata),
    line("Creation Time", timeText(detail.createdAt)),
    line("Raid Level", detail.level),
    line("Array Size", sizeText(detail.size)),
  ];
  if (detail.usedSize !== null) lines.push(line("Used Dev Size", sizeText(detail.usedSize)));
  lines.push(
    line("Raid Devices", detail.memberCount),
    line("Total Devices", active + failed + spare),
    ...(detail.preferredMinor === null ? [] : [line("Preferred Minor", detail.preferredMinor)]),
    line("Persistence", "Superblock is persistent"),
    "",
    ...(detail.bitmap === null ? [] : [line("Intent Bitmap", "Internal"), ""]),
    line("Update Time", timeText(detail.updatedAt)),
    line("State", detail.state),
    line("Active Devices", active),
    line("Working Devices", active + spare),
    line("Failed Devices", failed),
    line("Spare Devices", spare),
    "",
  );
  if (detail.layout !== null && detail.level !== "raid0") lines.push(line("Layout", detail.layout));
  if (detail.chunkSize > 0) lines.push(line("Chunk Size", `${detail.chunkSize / 1024}K`));
  lines.push("", line("Consistency Policy", detail.consistencyPolicy), "");
  if (sync !== null) {
    const percent = sync.total === 0 ? 0 : Math.floor((100 * sync.done) / sync.total);
    const paused = sync.isPaused ? " (paused)" : "";
    lines.push(line(SYNC_NAMES[sync.action] ?? sync.action, `${percent}% complete${paused}`), "");
  }
  if (detail.reshape !== null) {
    const { position, isBackwards } = detail.reshape;
    lines.push(line("Reshape pos'n", `${sizeText(position)}${isBackwards ? ", backwards" : ""}`), "");
  }
  if (detail.mismatchCount !== null) lines.push(line("Mismatch Count", detail.mismatchCount), "");
  if (detail.name !== "") lines.push(line("Name", detail.name));
  lines.push(line("UUID", detail.uuid), line("Events", detail.events), "");
  lines.push("    Number   RaidDevice State");
  const places = members.filter(({ role }) => role !== null);
  const others = members.filter(({ role }) => role === null);
  lines.push(...places.map((row) => rowText(row, detail.usedSize)));
  if (others.length > 0) lines.push("", ...others.map((row) => rowText(row, null)));
  if (leftOut.length > 0) lines.push("", "    Left out:");
  lines.push(...leftOut.map(({ device, reason }) => `       ${device} ${reason}`));
  return lines;
}

/** The line of `mdadm --detail --brief`, as mdadm.conf takes it. */
export function detailBrief({ device, metadata, name, uuid, members }: ArrayDetail): string {
  const spares = count(members, "spare");
  return [
    `ARRAY /dev/${device.replace(/^md\/[^:]*:/, "md/")}`,
    `metadata=${metadata}`,
    ...(spares === 0 ? [] : [`spares=${spares}`]),
    ...(name === "" ? [] : [`name=${name}`]),
    `UUID=${uuid}`,
  ].join(" ");
}

const SYNC_NAMES: Readonly<Record<string, string>> = {
  resync: "Resync Status",
  recover: "Rebuild Status",
  check: "Check Status",
  repair: "Repair Status",
};

function rowText(row: DetailRow, usedSize: number | null): string {
  const { number, role, state, device, recoveredTo } = row;
  const flags = `${row.isWriteMostly ? " writemostly" : ""}${row.isFailFast ? " failfast" : ""}`;
  const columns = `${textOf(number).padStart(8)}${textOf(role).padStart(9)}      ${state}${flags}`;
  const isKnown = recoveredTo !== null && usedSize !== null && usedSize > 0;
  const at = isKnown ? ` (${Math.floor((100 * recoveredTo) / usedSize)}% rebuilt)` : "";
  return device === null ? columns : `${columns}   ${device}${at}`;
}

const textOf = (value: number | null): string => (value === null ? "-" : String(value));

const count = (members: readonly DetailRow[], ...states: readonly string[]): number =>
  members.filter(({ state }) => states.includes(state)).length;

const sizeText = (bytes: number): string => `${bytes / 1024}${bothUnits(bytes)}`;

function timeText(iso: string | null): string {
  return iso === null ? "unknown" : clockText(Date.parse(iso) / 1000);
}
