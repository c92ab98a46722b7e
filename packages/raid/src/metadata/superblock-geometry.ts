import { FeatureFlag } from "./superblock-features.ts";
import type { SuperblockFields } from "./superblock-fields.ts";
import { Role, memberSectors, ownRole, roleCount } from "./superblock-model.ts";
import type { Reshape, Superblock } from "./superblock-model.ts";

const SECTOR = 512;
const MEMBERS_MAX = 1920;
const MEMBERS_MAX_OLD = 27;
// md's smallest chunk is one page.
const CHUNK_SECTORS_MIN = 8;
const LEVELS = new Set([-4, -1, 0, 1, 4, 5, 6, 10]);
/** Levels that cut data into chunks of a power of two. */
const STRIPED_LEVELS = new Set([4, 5, 6, 10]);
// The kernel keeps the log in one page.
const BAD_BLOCK_SECTORS_MAX = 8;
const BAD_BLOCK_SHIFT_MAX = 32;
// No array comes near it, and every update takes one more.
const EVENTS_END = 1n << 63n;

/** Throws where sizes and places in a superblock contradict one another or the device it was read from. */
export function checkGeometry(superblock: Superblock, fields: SuperblockFields): void {
  const { version, level, memberCount, reshape, eventCount } = superblock;
  fields.check(eventCount < EVENTS_END, "events", `an event count of ${eventCount} is impossible`);
  fields.check(LEVELS.has(level), "level", `RAID level ${level} does not exist`);
  const membersMax = version === "0.90" ? MEMBERS_MAX_OLD : MEMBERS_MAX;
  fields.check(
    memberCount >= 1 && memberCount <= membersMax,
    "memberCount",
    `an array of ${memberCount} members is impossible`,
  );
  checkSizes(superblock, fields);
  if (reshape !== null) checkReshape(superblock, reshape, membersMax, fields);
  checkPlaces(superblock, fields);
  const count = roleCount(superblock);
  superblock.roles.forEach((role, index) =>
    fields.check(
      role < count || role >= Role.special,
      "roles",
      `device ${index} has the role ${role} of ${count}`,
      index,
    ),
  );
}

function checkSizes(superblock: Superblock, fields: SuperblockFields): void {
  const { level, chunkSectors, sizeSectors, dataSizeSectors } = superblock;
  if (STRIPED_LEVELS.has(level)) {
    checkChunk(chunkSectors, "chunk", fields);
    fields.check(
      sizeSectors >= chunkSectors,
      "size",
      `members of ${sizeSectors} sectors hold no chunk of ${chunkSectors}`,
    );
  }
  if (level <= 0) {
    // These levels take whatever each member has, and their size field is not used. RAID0's chunk may be of any length.
    const dataSizeMin = level === 0 ? Math.max(chunkSectors, CHUNK_SECTORS_MIN) : Math.max(chunkSectors, 1);
    if (level === 0)
      fields.check(
        chunkSectors >= CHUNK_SECTORS_MIN,
        "chunk",
        `a chunk of ${chunkSectors} sectors is impossible: it has ${CHUNK_SECTORS_MIN} at least`,
      );
    fields.check(
      dataSizeSectors >= dataSizeMin,
      "dataSize",
      `a member of ${dataSizeSectors} sectors holds nothing (chunks of ${chunkSectors})`,
    );
    return;
  }
  fields.check(sizeSectors > 0, "size", "members of no size");
  // A journal is usually much smaller than a member.
  if (ownRole(superblock) === Role.journal) return;
  fields.check(
    sizeSectors <= dataSizeSectors,
    "size",
    `the array takes ${sizeSectors} sectors, the member offers ${dataSizeSectors}`,
  );
}

function checkChunk(chunkSectors: number, field: "chunk" | "newChunk", fields: SuperblockFields): void {
  fields.check(
    chunkSectors >= CHUNK_SECTORS_MIN && Number.isInteger(Math.log2(chunkSectors)),
    field,
    `a chunk of ${chunkSectors} sectors is impossible: it must be a power of two from ${CHUNK_SECTORS_MIN} on`,
  );
}

function checkReshape(
  superblock: Superblock,
  reshape: Reshape,
  membersMax: number,
  fields: SuperblockFields,
): void {
  const { memberCount, dataOffsetSectors, dataSizeSectors, sizeSectors } = superblock;
  fields.check(LEVELS.has(reshape.level), "newLevel", `RAID level ${reshape.level} does not exist`);
  if (STRIPED_LEVELS.has(reshape.level)) checkChunk(reshape.chunkSectors, "newChunk", fields);
  const before = memberCount - reshape.memberDelta;
  fields.check(
    before >= 1 && before <= membersMax,
    "memberDelta",
    `an array of ${before} members before the reshape is impossible`,
  );
  const arraySectorsMax = Math.max(sizeSectors, dataSizeSectors) * Math.max(before, memberCount);
  fields.check(
    reshape.positionSectors <= arraySectorsMax,
    "reshapePosition",
    `a reshape at sector ${reshape.positionSectors} of at most ${arraySectorsMax} is impossible`,
  );
  const start = dataOffsetSectors + reshape.offsetSectors;
  const end = (start + sizeSectors) * SECTOR;
  const { byteOffset, deviceSize } = fields.place;
  const isBefore = isAtEnd(superblock)
    ? end <= byteOffset
    : start * SECTOR >= byteOffset + lengthOf(superblock);
  fields.check(
    start >= 0 && end <= deviceSize && (ownRole(superblock) === Role.journal || isBefore),
    "newOffset",
    `data that moves by ${reshape.offsetSectors} sectors has no room`,
  );
}

function checkPlaces(superblock: Superblock, fields: SuperblockFields): void {
  const { dataOffsetSectors, dataSizeSectors, superOffsetSectors, bitmapOffsetSectors } = superblock;
  const { byteOffset, deviceSize } = fields.place;
  fields.check(
    superOffsetSectors * SECTOR === byteOffset,
    "superOffset",
    `it says it lies at byte ${superOffsetSectors * SECTOR} and was found at ${byteOffset}: the device was resized, or this is a copy`,
  );
  const dataStart = dataOffsetSectors * SECTOR;
  const dataEnd = dataStart + dataSizeSectors * SECTOR;
  fields.check(
    dataEnd <= deviceSize,
    "dataSize",
    `the data ends at byte ${dataEnd}, the device at ${deviceSize}: it was cut short`,
  );
  const isBefore = isAtEnd(superblock)
    ? dataEnd <= byteOffset
    : byteOffset + lengthOf(superblock) <= dataStart;
  fields.check(isBefore, "dataOffset", "the data overlaps the superblock");
  if (bitmapOffsetSectors !== 0)
    fields.check(
      isClear(superblock, fields, bitmapOffsetSectors, 1),
      "bitmapOffset",
      `the bitmap at ${bitmapOffsetSectors} sectors from the superblock lies on other things`,
    );
  const log = superblock.partialParityLog;
  if (log !== null)
    fields.check(
      log.sizeSectors > 0 && isClear(superblock, fields, log.offsetSectors, log.sizeSectors),
      "partialParityLog",
      `the partial parity log of ${log.sizeSectors} sectors, ${log.offsetSectors} from the superblock, lies on other things`,
    );
  if ((superblock.features & FeatureFlag.badBlocks) !== 0) checkBadBlocks(superblock, fields);
}

function checkBadBlocks(superblock: Superblock, fields: SuperblockFields): void {
  const { badBlockSectors, badBlockOffsetSectors, badBlockShift } = superblock;
  fields.check(
    badBlockSectors > 0 && badBlockSectors <= BAD_BLOCK_SECTORS_MAX,
    "badBlockSize",
    `a bad-block log of ${badBlockSectors} sectors is impossible`,
  );
  fields.check(
    badBlockShift <= BAD_BLOCK_SHIFT_MAX,
    "badBlockShift",
    `bad blocks of 2^${badBlockShift} sectors are impossible`,
  );
  fields.check(
    isClear(superblock, fields, badBlockOffsetSectors, badBlockSectors),
    "badBlockOffset",
    `the bad-block log at ${badBlockOffsetSectors} sectors from the superblock lies on other things`,
  );
}

/** True where so many sectors, that far from the superblock, lie inside the device and off superblock and data. */
function isClear(
  superblock: Superblock,
  fields: SuperblockFields,
  offsetSectors: number,
  lengthSectors: number,
): boolean {
  const { byteOffset, deviceSize } = fields.place;
  const start = byteOffset + offsetSectors * SECTOR;
  const end = start + lengthSectors * SECTOR;
  const dataStart = superblock.dataOffsetSectors * SECTOR;
  // What the array does not use of the data's room may hold other things.
  const isJournal = ownRole(superblock) === Role.journal;
  const usedSectors = isJournal ? superblock.dataSizeSectors : memberSectors(superblock);
  const dataEnd = dataStart + usedSectors * SECTOR;
  const isOutside = start >= 0 && end <= deviceSize;
  const isApart = start >= byteOffset + lengthOf(superblock) || end <= byteOffset;
  return isOutside && isApart && (start >= dataEnd || end <= dataStart);
}

function isAtEnd({ version }: Superblock): boolean {
  return version === "1.0" || version === "0.90";
}

function lengthOf({ version, roles }: Superblock): number {
  return version === "0.90" ? 4096 : 256 + 2 * roles.length;
}
