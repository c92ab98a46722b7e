import { BitmapState } from "@cev/raid";
import { dirtyBitCount } from "./examination.ts";
import type { Examination } from "./examination.ts";
import { bothUnits, fieldLine } from "./mdadm-words.ts";

const SECTOR = 512;
const UNITS = ["bytes", "KB", "MB", "GB", "TB"] as const;

/** The lines of `mdadm --examine-bitmap` for one member. */
export function bitmapText({ name, bitmap }: Examination): string[] {
  if (bitmap === null) return [`${name} has no internal bitmap`];
  const { head } = bitmap;
  const { count, dirty } = dirtyBitCount(bitmap);
  const percent = count === 0 ? 0 : (100 * dirty) / count;
  const size = head.syncSectors * SECTOR;
  return [
    fieldLine("Filename", name, 16),
    fieldLine("Magic", "6d746962", 16),
    fieldLine("Version", 4, 16),
    fieldLine("UUID", head.arrayUuid, 16),
    fieldLine("Events", head.eventCount, 16),
    fieldLine("Events Cleared", head.clearedEventCount, 16),
    fieldLine("State", stateText(head.state), 16),
    fieldLine("Chunksize", chunkText(head.chunkSize), 16),
    fieldLine("Daemon", `${head.daemonSleepSeconds}s flush period`, 16),
    fieldLine(
      "Write Mode",
      head.writeBehind === 0 ? "Normal" : `Allow write behind, max ${head.writeBehind}`,
      16,
    ),
    fieldLine("Sync Size", `${size / 1024}${bothUnits(size)}`, 16),
    fieldLine("Bitmap", `${count} bits (chunks), ${dirty} dirty (${percent.toFixed(1)}%)`, 16),
  ];
}

/** The lines of `mdadm --examine-badblocks` for one member: sectors count from the begin of the device. */
export function badBlocksText({ name, superblock, badBlocks }: Examination): string[] {
  if (badBlocks === null) return [`No bad-blocks list configured on ${name}`];
  if (badBlocks.length === 0) return [`Bad-blocks list is empty in ${name}`];
  const lines = badBlocks.map(({ start, end }) => {
    const sector = superblock.dataOffsetSectors + start / SECTOR;
    return `${String(sector).padStart(20)} for ${(end - start) / SECTOR} sectors`;
  });
  return [`Bad-blocks on ${name}:`, ...lines];
}

function stateText(state: number): string {
  const words = [
    (state & BitmapState.stale) === 0 ? [] : ["Out of date"],
    (state & BitmapState.writeError) === 0 ? [] : ["Write error"],
  ].flat();
  return words.length === 0 ? "OK" : words.join(", ");
}

function chunkText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value} ${UNITS[unit]!}`;
}
