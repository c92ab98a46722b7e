import type { BitmapHead } from "../metadata/bitmap.ts";
import type { MemberDevice } from "./member.ts";

const SECTOR = 512;
const OLD_LENGTH_MAX = 60 * 1024;

/** Bytes that the bitmap of a member may take without touching what lies behind it. */
export function bitmapRoom({ layer, superblock }: MemberDevice, head: BitmapHead): number {
  const { version, superOffsetSectors, bitmapOffsetSectors, dataOffsetSectors } = superblock;
  if (version === "0.90") return OLD_LENGTH_MAX;
  const start = superOffsetSectors + bitmapOffsetSectors;
  const others = [
    superOffsetSectors,
    dataOffsetSectors,
    layer.limits.size / SECTOR,
    ...(superblock.badBlockSectors > 0 ? [superOffsetSectors + superblock.badBlockOffsetSectors] : []),
  ];
  const room = Math.min(...others.filter((sectors) => sectors > start)) - start;
  return Math.min(room, head.reservedSectors === 0 ? room : head.reservedSectors) * SECTOR;
}
