import type { AreaScan, PvScan } from "@cev/lvm";

const SECTOR = 512;

/**
 * Bytes that the text of a group may still grow by, in the fullest area of a physical volume: a new text is written beside the one
 * in force, so each may have half of the ring.
 */
export function metadataFree(scan: PvScan | null): number {
  const rooms = scan?.areas.map(roomIn) ?? [];
  return rooms.length === 0 ? 0 : Math.min(...rooms);
}

function roomIn({ area, header }: AreaScan): number {
  if (header === null) return 0;
  const most = Math.floor((area.size - SECTOR) / 2) - SECTOR;
  return Math.max(0, Math.floor((most - (header.committed?.size ?? 0)) / SECTOR) * SECTOR);
}
