import { encodeSuperblock } from "@cev/raid";

const SECTOR = 512;

export const MEMBER_COUNT = 3;
export const CHUNK_SIZE = 4096;
/** Where the data of a member begins: bytes. */
export const DATA_START = 16_384;

/** The superblock of one member of a new, clean RAID5 array of `chunkCount` chunks per member, in whole blocks of 4 KiB. */
export function superblockOf(memberIndex: number, chunkCount: number): Uint8Array {
  const sizeSectors = (chunkCount * CHUNK_SIZE) / SECTOR;
  const bytes = encodeSuperblock({
    version: "1.2",
    features: 0,
    arrayUuid: "5ca1ab1e:11223344:55667788:99aabbcc",
    arrayName: "host:stacked",
    createdAt: { seconds: 1_700_000_000, microseconds: 0 },
    level: 5,
    // Left-symmetric.
    layout: 2,
    sizeSectors,
    chunkSectors: CHUNK_SIZE / SECTOR,
    memberCount: MEMBER_COUNT,
    bitmapOffsetSectors: 0,
    partialParityLog: null,
    reshape: null,
    dataOffsetSectors: DATA_START / SECTOR,
    dataSizeSectors: sizeSectors,
    superOffsetSectors: 8,
    recoverySectors: 0,
    journalTailSectors: 0,
    deviceNumber: memberIndex,
    correctedReadCount: 0,
    deviceUuid: `0000000${memberIndex}:00000000:00000000:0000000${memberIndex}`,
    deviceFlags: 0,
    badBlockShift: 0,
    badBlockSectors: 0,
    badBlockOffsetSectors: 0,
    updatedAt: { seconds: 1_700_000_100, microseconds: 0 },
    eventCount: 17n,
    resyncSectors: null,
    roles: Array.from({ length: MEMBER_COUNT }, (_, role) => role),
    old: null,
    remnants: null,
  });
  const block = new Uint8Array(4096);
  block.set(bytes);
  return block;
}
