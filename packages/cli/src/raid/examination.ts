import { FeatureFlag, Role, levelOf, ownRole } from "@cev/raid";
import type { BadRange, MemberBitmap, Superblock } from "@cev/raid";

const SECTOR = 512;
// What mdadm counts as taken by a superblock in front of the data.
const SUPERBLOCK_ROOM_SECTORS = 72;
const BAD_BLOCK_ENTRY_LENGTH = 8;

/** What stands on one member, read and checked. */
export interface Examination {
  /** The member, as the user calls it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly superblock: Superblock;
  readonly checksum: number;
  /** Null where the member has none, or one that cannot be accepted. */
  readonly bitmap: MemberBitmap | null;
  /** Null where the member has no log, or one that cannot be accepted. In bytes of its data. */
  readonly badBlocks: readonly BadRange[] | null;
}

/** "raid5", "linear": as mdadm calls a level. */
export function levelText(level: number): string {
  return levelOf(level)?.name ?? (level === -4 ? "multipath" : `raid${level}`);
}

/** "left-symmetric", "near=2"; null for levels of one layout, and for layouts that nobody knows. */
export function layoutText({ level, layout, memberCount }: Superblock): string | null {
  const name = levelOf(level)?.layoutName(layout, memberCount) ?? null;
  return name === "" ? null : name;
}

/** What a device is to its array, as mdadm says it: "Active device 1", "Replacement device 1", "spare", "Journal". */
export function roleText(superblock: Superblock): string {
  const role = ownRole(superblock);
  if (role === Role.journal) return "Journal";
  if (role >= Role.special) return "spare";
  const isReplacement = (superblock.features & FeatureFlag.replacement) !== 0;
  return `${isReplacement ? "Replacement" : "Active"} device ${role}`;
}

/** A letter for each place of the array: "A" active, "." missing, "R" about to be replaced; as this member knows it. */
export function placesText({ roles, memberCount, reshape }: Superblock): string {
  const places = Math.max(memberCount, memberCount - (reshape?.memberDelta ?? 0));
  let text = "";
  for (let place = 0; place < places; place++) {
    const count = roles.filter((role) => role === place).length;
    text += count === 0 ? "." : count === 1 ? "A" : "R";
  }
  return text;
}

/** Bytes of the array as far as one member can tell, which counts all of them as large as itself; null: it cannot. */
export function arraySizeOf({ level, layout, sizeSectors, memberCount }: Superblock): number | null {
  const size = sizeSectors * SECTOR;
  switch (level) {
    case 1:
      return size;
    case 4:
    case 5:
      return size * (memberCount - 1);
    case 6:
      return size * (memberCount - 2);
    case 10: {
      const copies = (layout & 0xff) * ((layout >>> 8) & 0xff);
      return copies === 0 ? null : Math.floor((sizeSectors * memberCount) / copies) * SECTOR;
    }
    default:
      return null;
  }
}

/** Sectors of a member that nothing uses before and after the data; null where mdadm does not say (a reshape). */
export function unusedSectors({
  superblock,
  bitmap,
}: Examination): { readonly before: number; readonly after: number } | null {
  const { dataOffsetSectors, dataSizeSectors, superOffsetSectors, version, features } = superblock;
  if (version === "0.90" || (features & FeatureFlag.newOffset) !== 0) return null;
  const used = superblock.sizeSectors === 0 ? dataSizeSectors : superblock.sizeSectors;
  const { bitmapOffsetSectors, badBlockOffsetSectors, badBlockSectors } = superblock;
  if (version === "1.0") {
    const starts = [bitmapOffsetSectors, badBlockOffsetSectors].filter((offset) => offset < 0);
    const end = superOffsetSectors + Math.min(0, ...starts);
    return { before: dataOffsetSectors, after: end - dataOffsetSectors - used };
  }
  const bitmapSectors = bitmap === null ? 0 : Math.ceil((256 + bitmap.bits.length) / SECTOR);
  const ends = [
    SUPERBLOCK_ROOM_SECTORS,
    bitmapOffsetSectors + bitmapSectors,
    badBlockOffsetSectors + badBlockSectors,
  ];
  const earliest = superOffsetSectors + Math.max(...ends);
  return { before: Math.max(0, dataOffsetSectors - earliest), after: dataSizeSectors - used };
}

/** How many entries a member's log of bad blocks has room for; 0: there is no log. */
export function badBlockRoom({ badBlockSectors, badBlockOffsetSectors }: Superblock): number {
  return badBlockOffsetSectors === 0 ? 0 : (badBlockSectors * SECTOR) / BAD_BLOCK_ENTRY_LENGTH;
}

/** The bits of a bitmap that are set. */
export function dirtyBitCount({ head, bits }: MemberBitmap): {
  readonly count: number;
  readonly dirty: number;
} {
  const count = Math.ceil((head.syncSectors * SECTOR) / head.chunkSize);
  let dirty = 0;
  for (let index = 0; index < count; index++) if ((bits[index >>> 3]! & (1 << (index & 7))) !== 0) dirty++;
  return { count, dirty };
}
