import { assert } from "@cev/core";
import { levelOf } from "../levels/levels.ts";
import { viewOf } from "../metadata/superblock-bytes.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { SuperblockFields } from "../metadata/superblock-fields.ts";
import { Role } from "../metadata/superblock-model.ts";
import type { Superblock, SuperblockPlace } from "../metadata/superblock-model.ts";

/** First four bytes of dm-raid's superblock, as a little-endian number: "DmRd". */
export const DM_RAID_MAGIC = 0x64526d44;
/** Bytes of rmeta that are the superblock's. */
export const DM_SUPERBLOCK_LENGTH = 512;
/** Where the bitmap begins in rmeta. */
export const DM_BITMAP_OFFSET = 4096;

const SECTOR = 512;
const EXTENDED = 1;
const MAX_SECTOR = 0xffff_ffff_ffff_ffffn;
// A bitmap is not told apart by whose it is: md writes it without a UUID there, and so nobody has one.
const NO_UUID = "00000000:00000000:00000000:00000000";

/** What dm-raid's superblock does not say, or what it must agree with. Sizes in sectors. */
export interface DmShape {
  readonly name: string;
  /** The member's position. */
  readonly position: number;
  readonly level: number;
  readonly layout: number;
  readonly chunkSectors: number;
  readonly memberCount: number;
  /** What each member gives to the array. */
  readonly sizeSectors: number;
  /** What each has. */
  readonly dataSizeSectors: number;
  readonly arraySectors: number;
  /** Where the data begins on the joined member. */
  readonly dataOffsetSectors: number;
}

/**
 * Decodes a member's superblock. Having no checksum, it must agree with the shape in all that never changes. Throws a
 * `MetadataError`. Format: drivers/md/dm-raid.c (struct dm_raid_superblock).
 */
export function decodeDmSuperblock(bytes: Uint8Array, source: string, shape: DmShape): Superblock {
  const place: SuperblockPlace = { source, deviceSize: 0, version: "dm-raid", byteOffset: 0 };
  const fields = new SuperblockFields(bytes, place);
  const { level, layout, chunkSectors, memberCount, sizeSectors, position } = shape;
  fields.check(bytes.length >= DM_SUPERBLOCK_LENGTH, "magic", "the superblock is cut short");
  fields.check(fields.uint32(0) === DM_RAID_MAGIC, "magic", "the magic number is wrong");
  if (fields.uint32(4) > EXTENDED)
    fields.refuse("features", `it uses features that are unknown: 0x${fields.uint32(4).toString(16)}`);
  const isExtended = fields.uint32(4) === EXTENDED;
  if (isExtended) checkExtension(fields, shape);
  const agrees = (found: number, wanted: number): string => `${found}, but the volume has ${wanted}`;
  fields.check(
    fields.uint32(8) === memberCount,
    "memberCount",
    `the number of members is ${agrees(fields.uint32(8), memberCount)}`,
  );
  fields.check(
    fields.uint32(12) === position,
    "deviceNumber",
    `it is member ${fields.uint32(12)}, and stands in the place of member ${position}`,
  );
  fields.check(fields.int32(48) === level, "level", `the level is ${agrees(fields.int32(48), level)}`);
  fields.check(fields.uint32(52) === layout, "layout", `the layout is ${agrees(fields.uint32(52), layout)}`);
  fields.check(
    fields.uint32(56) === chunkSectors,
    "chunk",
    `the chunk size in sectors is ${agrees(fields.uint32(56), chunkSectors)}`,
  );
  const eventCount = fields.uint64(16);
  fields.check(eventCount < 1n << 62n, "events", `no array has ${eventCount} events`);
  const recovered = fields.uint64(32) === MAX_SECTOR ? null : fields.sectors("recoveryOffset");
  fields.check(
    recovered === null || recovered <= sizeSectors,
    "recoveryOffset",
    `it was rebuilt up to sector ${recovered} of ${sizeSectors}`,
  );
  const resynced = fields.uint64(40) === MAX_SECTOR ? null : fields.sectors("resyncOffset");
  fields.check(
    resynced === null || resynced <= shape.arraySectors,
    "resyncOffset",
    `the array was synced up to sector ${resynced} of ${shape.arraySectors}`,
  );
  return {
    ...blankDmSuperblock(shape),
    features: FeatureFlag.bitmap | (recovered === null ? 0 : FeatureFlag.recovery),
    recoverySectors: recovered ?? 0,
    eventCount,
    resyncSectors: resynced,
    roles: decodeRoles(fields, memberCount, isExtended),
  };
}

/** The superblock of a member that has none yet, and takes part in full. */
export function blankDmSuperblock(shape: DmShape): Superblock {
  const { name, position, memberCount, ...rest } = shape;
  return {
    version: "dm-raid",
    features: FeatureFlag.bitmap,
    arrayUuid: NO_UUID,
    arrayName: name,
    createdAt: { seconds: 0, microseconds: 0 },
    level: rest.level,
    layout: rest.layout,
    sizeSectors: rest.sizeSectors,
    chunkSectors: rest.chunkSectors,
    memberCount,
    bitmapOffsetSectors: DM_BITMAP_OFFSET / SECTOR,
    partialParityLog: null,
    reshape: null,
    dataOffsetSectors: rest.dataOffsetSectors,
    dataSizeSectors: rest.dataSizeSectors,
    superOffsetSectors: 0,
    recoverySectors: 0,
    journalTailSectors: 0,
    deviceNumber: position,
    correctedReadCount: 0,
    deviceUuid: "",
    deviceFlags: 0,
    badBlockShift: 0,
    badBlockSectors: 0,
    badBlockOffsetSectors: 0,
    updatedAt: { seconds: 0, microseconds: 0 },
    eventCount: 0n,
    resyncSectors: 0,
    roles: Array.from({ length: memberCount }, (_, index) => index),
    old: null,
    remnants: null,
  };
}

/** What was added when dm-raid learnt to reshape: nothing of that may be under way. */
function checkExtension(fields: SuperblockFields, shape: DmShape): void {
  if (fields.uint32(144) !== 0) fields.refuse("incompatible", "it uses features that are unknown");
  if (fields.uint32(60) !== 0) fields.refuse("flags", "it is being reshaped: let the kernel finish that");
  if (fields.uint64(64) !== MAX_SECTOR)
    fields.refuse("reshapePosition", "it is being reshaped: let the kernel finish that");
  const turns = "it is to be turned into another kind of array: let the kernel finish that";
  if (fields.int32(72) !== shape.level) fields.refuse("newLevel", turns);
  if (fields.uint32(76) !== shape.layout) fields.refuse("newLayout", turns);
  if (fields.uint32(80) !== shape.chunkSectors) fields.refuse("newChunk", turns);
  if (fields.int32(84) !== 0) fields.refuse("memberDelta", turns);
  if (fields.uint64(96) !== 0n)
    fields.refuse("dataOffset", "its data was moved by a reshape, which is not supported");
  if (fields.uint64(104) !== 0n) fields.refuse("newOffset", turns);
  const resized = "activate the volume once with LVM after its size was changed";
  const arraySectors = fields.sectors("arraySize");
  fields.check(
    arraySectors === shape.arraySectors,
    "arraySize",
    `the array has ${arraySectors} sectors, the volume ${shape.arraySectors}: ${resized}`,
  );
  const sectors = fields.sectors("size");
  fields.check(
    sectors === shape.sizeSectors,
    "size",
    `each member gives ${sectors} sectors, the volume needs ${shape.sizeSectors}: ${resized}`,
  );
}

/** Members have failed whose bits are set: the first 64 in one word, the others in the extension. */
function decodeRoles(fields: SuperblockFields, memberCount: number, isExtended: boolean): number[] {
  const words = [24, 120, 128, 136].map((at, word) => (word > 0 && !isExtended ? 0n : fields.uint64(at)));
  const hasFailed = (index: number): boolean =>
    ((words[Math.floor(index / 64)]! >> BigInt(index % 64)) & 1n) !== 0n;
  for (let index = memberCount; index < words.length * 64; index++)
    fields.check(!hasFailed(index), "roles", `member ${index} of ${memberCount} is said to have failed`);
  return Array.from({ length: memberCount }, (_, index) => (hasFailed(index) ? Role.faulty : index));
}

/** The 512 bytes of a member's superblock: all that is not in its place counts as failed, as dm-raid writes it. */
export function encodeDmSuperblock(superblock: Superblock): Uint8Array {
  const { level, layout, chunkSectors, memberCount, sizeSectors, eventCount, features } = superblock;
  assert(eventCount >= 0n && eventCount < 1n << 64n, "event count fits in 64 bits");
  const bytes = new Uint8Array(DM_SUPERBLOCK_LENGTH);
  const view = viewOf(bytes);
  view.setUint32(0, DM_RAID_MAGIC, true);
  view.setUint32(4, EXTENDED, true);
  view.setUint32(8, memberCount, true);
  view.setUint32(12, superblock.deviceNumber, true);
  view.setBigUint64(16, eventCount, true);
  for (let index = 0; index < memberCount; index++) {
    if (superblock.roles[index] === index) continue;
    const at = (index < 64 ? 24 : 112 + 8 * Math.floor(index / 64)) + Math.floor((index % 64) / 8);
    bytes[at]! |= 1 << (index % 8);
  }
  const isRecovering = (features & FeatureFlag.recovery) !== 0;
  view.setBigUint64(32, isRecovering ? BigInt(superblock.recoverySectors) : MAX_SECTOR, true);
  view.setBigUint64(40, positionOf(superblock.resyncSectors), true);
  view.setInt32(48, level, true);
  view.setUint32(52, layout, true);
  view.setUint32(56, chunkSectors, true);
  view.setBigUint64(64, MAX_SECTOR, true);
  view.setInt32(72, level, true);
  view.setUint32(76, layout, true);
  view.setUint32(80, chunkSectors, true);
  view.setBigUint64(88, BigInt(arraySectorsOf(superblock)), true);
  view.setBigUint64(112, BigInt(sizeSectors), true);
  return bytes;
}

function positionOf(sectors: number | null): bigint {
  return sectors === null ? MAX_SECTOR : BigInt(sectors);
}

function arraySectorsOf({ level, layout, chunkSectors, memberCount, sizeSectors }: Superblock): number {
  const memberSizes = new Array<number>(memberCount).fill(sizeSectors * SECTOR);
  const chunkSize = chunkSectors * SECTOR;
  return levelOf(level)!.sizeOf({ level, layout, chunkSize, memberCount, memberSizes }) / SECTOR;
}
