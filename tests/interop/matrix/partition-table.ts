import { crc32 } from "node:zlib";

const SECTOR = 512;
const ENTRY_LENGTH = 128;
const ENTRIES_SECTOR = 2;
/** More than a kernel takes as partitions of one disk. */
const ENTRY_COUNT = 256;
const ENTRIES_SECTORS = (ENTRY_COUNT * ENTRY_LENGTH) / SECTOR;
/** "Linux RAID", as it lies on disk. */
const TYPE = Buffer.from("0fc63daf848347728e793d69d8477de4", "hex");

/** A range of a disk, in bytes, whole sectors. */
export interface Partition {
  readonly offset: number;
  readonly size: number;
}

/** How many partitions a kernel takes from one disk. */
export const PARTITIONS_MAX = 250;
/** Where the first partition may begin. */
export const PARTITIONS_START = 1024 * 1024;

/**
 * The first bytes of a disk that has these partitions, by the UEFI specification (GPT): the kernel needs no program to
 * give each a node of its own. There is no second copy at the disk's end; the kernel does without.
 */
export function encodePartitionTable(partitions: readonly Partition[], diskSize: number): Uint8Array {
  const bytes = Buffer.alloc((ENTRIES_SECTOR + ENTRIES_SECTORS) * SECTOR);
  const lastSector = diskSize / SECTOR - 1;
  // The protective record: one partition of type 0xee over all.
  bytes[446 + 4] = 0xee;
  bytes.writeUInt32LE(1, 446 + 8);
  bytes.writeUInt32LE(Math.min(lastSector, 0xffff_ffff), 446 + 12);
  bytes.writeUInt16LE(0xaa55, 510);
  const entries = bytes.subarray(ENTRIES_SECTOR * SECTOR);
  partitions.forEach(({ offset, size }, index) => {
    const entry = entries.subarray(index * ENTRY_LENGTH, (index + 1) * ENTRY_LENGTH);
    TYPE.copy(entry);
    entry.writeUInt32LE(index + 1, 16);
    entry.writeBigUInt64LE(BigInt(offset / SECTOR), 32);
    entry.writeBigUInt64LE(BigInt((offset + size) / SECTOR - 1), 40);
  });
  const head = bytes.subarray(SECTOR, SECTOR + 92);
  head.write("EFI PART", "latin1");
  head.writeUInt32LE(0x1_0000, 8);
  head.writeUInt32LE(head.length, 12);
  head.writeBigUInt64LE(1n, 24);
  head.writeBigUInt64LE(BigInt(lastSector), 32);
  head.writeBigUInt64LE(BigInt(PARTITIONS_START / SECTOR), 40);
  head.writeBigUInt64LE(BigInt(lastSector), 48);
  head.writeUInt32LE(1, 56);
  head.writeBigUInt64LE(BigInt(ENTRIES_SECTOR), 72);
  head.writeUInt32LE(ENTRY_COUNT, 80);
  head.writeUInt32LE(ENTRY_LENGTH, 84);
  head.writeUInt32LE(crc32(entries), 88);
  head.writeUInt32LE(crc32(head), 16);
  return bytes;
}
