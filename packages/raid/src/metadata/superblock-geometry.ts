import type { SuperblockFields } from "./superblock-fields.ts";
import type { Superblock } from "./superblock.ts";

const SECTOR = 512;
const MEMBERS_MAX = 1920;
// md's smallest chunk is one page.
const CHUNK_SECTORS_MIN = 8;
const LEVELS = new Set([-4, -1, 0, 1, 4, 5, 6, 10]);
/** Levels that cut data into chunks of a power of two. */
const STRIPED_LEVELS = new Set([4, 5, 6, 10]);
const ROLE_SPECIAL = 0xff00;

/** Throws where sizes and places in a superblock contradict one another or the device it was read from. */
export function checkGeometry(superblock: Superblock, fields: SuperblockFields): void {
  const { level, chunkSectors, memberCount, sizeSectors, dataSizeSectors } = superblock;
  fields.check(LEVELS.has(level), "level", 72, `RAID level ${level} does not exist`);
  fields.check(
    memberCount >= 1 && memberCount <= MEMBERS_MAX,
    "raid_disks",
    92,
    `an array of ${memberCount} members is impossible`,
  );
  if (STRIPED_LEVELS.has(level)) {
    fields.check(
      chunkSectors >= CHUNK_SECTORS_MIN && Number.isInteger(Math.log2(chunkSectors)),
      "chunksize",
      88,
      `a chunk of ${chunkSectors} sectors is impossible: it must be a power of two from ${CHUNK_SECTORS_MIN} on`,
    );
    fields.check(
      sizeSectors >= chunkSectors,
      "size",
      80,
      `members of ${sizeSectors} sectors hold no chunk of ${chunkSectors}`,
    );
  }
  fields.check(sizeSectors > 0, "size", 80, "members of no size");
  fields.check(
    sizeSectors <= dataSizeSectors,
    "size",
    80,
    `the array takes ${sizeSectors} sectors, the member offers ${dataSizeSectors}`,
  );
  checkPlaces(superblock, fields);
  superblock.roles.forEach((role, index) =>
    fields.check(
      role < memberCount || role >= ROLE_SPECIAL,
      "dev_roles",
      256 + 2 * index,
      `device ${index} has the role ${role} of ${memberCount}`,
    ),
  );
}

function checkPlaces(superblock: Superblock, fields: SuperblockFields): void {
  const { version, dataOffsetSectors, dataSizeSectors, superOffsetSectors, bitmapOffsetSectors } = superblock;
  const { byteOffset, deviceSize } = fields.place;
  fields.check(
    superOffsetSectors * SECTOR === byteOffset,
    "super_offset",
    144,
    `it says it lies at byte ${superOffsetSectors * SECTOR} and was found at ${byteOffset}: the device was resized, or this is a copy`,
  );
  const dataStart = dataOffsetSectors * SECTOR;
  const dataEnd = dataStart + dataSizeSectors * SECTOR;
  fields.check(
    dataEnd <= deviceSize,
    "data_size",
    136,
    `the data ends at byte ${dataEnd}, the device at ${deviceSize}: it was cut short`,
  );
  const superEnd = byteOffset + 256 + 2 * superblock.roles.length;
  const isBefore = version === "1.0" ? dataEnd <= byteOffset : superEnd <= dataStart;
  fields.check(isBefore, "data_offset", 128, "the data overlaps the superblock");
  if (bitmapOffsetSectors !== 0) {
    const bitmapStart = byteOffset + bitmapOffsetSectors * SECTOR;
    const isOutside = bitmapStart >= 0 && bitmapStart + SECTOR <= deviceSize;
    const isApart = bitmapStart >= superEnd || bitmapStart + SECTOR <= byteOffset;
    const isFree = bitmapStart >= dataEnd || bitmapStart + SECTOR <= dataStart;
    fields.check(
      isOutside && isApart && isFree,
      "bitmap_offset",
      96,
      `the bitmap at ${bitmapOffsetSectors} sectors from the superblock lies on other things`,
    );
  }
}
