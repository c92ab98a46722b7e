import { assert } from "@cev/core";
import { encodeName, formatName, formatUuid, parseUuid } from "./identity.ts";
import { FeatureFlag, checkFeatures } from "./superblock-features.ts";
import { SuperblockFields } from "./superblock-fields.ts";

/** First four bytes of every md superblock, as a little-endian number. */
export const SUPERBLOCK_MAGIC = 0xa92b4efc;
/** Bytes before the table of roles. */
export const SUPERBLOCK_HEAD_LENGTH = 256;
/** Bytes that a superblock takes at most. */
export const SUPERBLOCK_LENGTH_MAX = 4096;
const DEVICES_MAX = (SUPERBLOCK_LENGTH_MAX - SUPERBLOCK_HEAD_LENGTH) / 2;
const MAX_SECTOR = 0xffff_ffff_ffff_ffffn;

/** Values in the table of roles that are no member's index. */
export const Role = { spare: 0xffff, faulty: 0xfffe, journal: 0xfffd, special: 0xff00 } as const;

/** Where a version 1 superblock lies on its member: at the end, at the start, 4 KiB from the start. */
export type SuperblockVersion = "1.0" | "1.1" | "1.2";

/** A moment as md keeps it. */
export interface Timestamp {
  /** Since 1970, up to 2^40. */
  readonly seconds: number;
  readonly microseconds: number;
}

/** A version 1 superblock. Sizes and places in sectors; places of bitmap and bad-block log count from the superblock. */
export interface Superblock {
  readonly version: SuperblockVersion;
  /** `FeatureFlag`s, or-ed. */
  readonly features: number;
  /** As mdadm prints it: "c0ffee00:11223344:55667788:99aabbcc". */
  readonly arrayUuid: string;
  /** "host:name", or a name alone. */
  readonly arrayName: string;
  readonly createdAt: Timestamp;
  readonly level: number;
  readonly layout: number;
  /** What each member gives to the array. */
  readonly sizeSectors: number;
  readonly chunkSectors: number;
  readonly memberCount: number;
  /** 0 without `FeatureFlag.bitmap`. */
  readonly bitmapOffsetSectors: number;
  readonly dataOffsetSectors: number;
  readonly dataSizeSectors: number;
  readonly superOffsetSectors: number;
  /** With `FeatureFlag.recovery`: how far this member has been rebuilt. */
  readonly recoverySectors: number;
  /** This member's place in `roles`. */
  readonly deviceNumber: number;
  readonly correctedReadCount: number;
  readonly deviceUuid: string;
  readonly deviceFlags: number;
  readonly badBlockShift: number;
  readonly badBlockSectors: number;
  readonly badBlockOffsetSectors: number;
  readonly updatedAt: Timestamp;
  readonly eventCount: bigint;
  /** How far the parity is known to be right; null: everywhere (the array is clean). */
  readonly resyncSectors: number | null;
  /** By device number: the index of the member, or one of `Role`. */
  readonly roles: readonly number[];
}

/** What a device is called and how large it is, for checks and errors. */
export interface SuperblockPlace {
  readonly source: string;
  /** Bytes. */
  readonly deviceSize: number;
  readonly version: SuperblockVersion;
  /** Where the superblock was read, in bytes. */
  readonly byteOffset: number;
}

/** True where bytes begin with md's magic. */
export function hasSuperblockMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === SUPERBLOCK_MAGIC;
}

/**
 * Decodes and checks a version 1 superblock. Throws a `MetadataError` that names source, field and byte offset;
 * `CEV_UNKNOWN_FEATURE` for what this version does not know.
 */
export function decodeSuperblock(bytes: Uint8Array, place: SuperblockPlace): Superblock {
  const fields = new SuperblockFields(bytes, place);
  fields.check(bytes.length >= SUPERBLOCK_HEAD_LENGTH, "magic", 0, "the superblock is cut short");
  fields.check(fields.uint32(0) === SUPERBLOCK_MAGIC, "magic", 0, "the magic number is wrong");
  fields.check(fields.uint32(4) === 1, "major_version", 4, `major version ${fields.uint32(4)} is not 1`);
  const deviceCount = fields.uint32(220);
  fields.check(
    deviceCount <= DEVICES_MAX && SUPERBLOCK_HEAD_LENGTH + 2 * deviceCount <= bytes.length,
    "max_dev",
    220,
    `${deviceCount} devices do not fit into a superblock`,
  );
  fields.check(
    fields.uint32(216) === checksumOf(bytes, deviceCount),
    "sb_csum",
    216,
    "the checksum is wrong: something in the superblock was changed",
  );
  const features = fields.uint32(8);
  checkFeatures(features, fields);
  const superblock: Superblock = {
    version: place.version,
    features,
    arrayUuid: formatUuid(bytes, 16),
    arrayName: formatName(bytes, 32, 32),
    createdAt: fields.timestamp(64),
    level: fields.int32(72),
    layout: fields.uint32(76),
    sizeSectors: fields.sectors("size", 80),
    chunkSectors: fields.uint32(88),
    memberCount: fields.uint32(92),
    bitmapOffsetSectors: (features & FeatureFlag.bitmap) === 0 ? 0 : fields.int32(96),
    dataOffsetSectors: fields.sectors("data_offset", 128),
    dataSizeSectors: fields.sectors("data_size", 136),
    superOffsetSectors: fields.sectors("super_offset", 144),
    recoverySectors: (features & FeatureFlag.recovery) === 0 ? 0 : fields.sectors("recovery_offset", 152),
    deviceNumber: fields.uint32(160),
    correctedReadCount: fields.uint32(164),
    deviceUuid: formatUuid(bytes, 168),
    deviceFlags: bytes[184]!,
    badBlockShift: bytes[185]!,
    badBlockSectors: fields.uint16(186),
    badBlockOffsetSectors: fields.int32(188),
    updatedAt: fields.timestamp(192),
    eventCount: fields.uint64(200),
    resyncSectors: fields.uint64(208) === MAX_SECTOR ? null : fields.sectors("resync_offset", 208),
    roles: Array.from({ length: deviceCount }, (_, index) =>
      fields.uint16(SUPERBLOCK_HEAD_LENGTH + 2 * index),
    ),
  };
  fields.checkGeometry(superblock);
  return superblock;
}

/** The bytes of a superblock, checksum included: 256 and two for each device. */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const { roles, eventCount } = superblock;
  assert(roles.length <= DEVICES_MAX, "the table of roles fits into a superblock");
  assert(eventCount >= 0n && eventCount < 1n << 64n, "event count fits in 64 bits");
  const bytes = new Uint8Array(SUPERBLOCK_HEAD_LENGTH + 2 * roles.length);
  const view = viewOf(bytes);
  view.setUint32(0, SUPERBLOCK_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, superblock.features, true);
  putUuid(bytes, 16, superblock.arrayUuid);
  putName(bytes, 32, 32, superblock.arrayName);
  putTimestamp(view, 64, superblock.createdAt);
  view.setInt32(72, superblock.level, true);
  view.setUint32(76, superblock.layout, true);
  putSectors(view, 80, superblock.sizeSectors);
  view.setUint32(88, superblock.chunkSectors, true);
  view.setUint32(92, superblock.memberCount, true);
  view.setInt32(96, superblock.bitmapOffsetSectors, true);
  putSectors(view, 128, superblock.dataOffsetSectors);
  putSectors(view, 136, superblock.dataSizeSectors);
  putSectors(view, 144, superblock.superOffsetSectors);
  putSectors(view, 152, superblock.recoverySectors);
  view.setUint32(160, superblock.deviceNumber, true);
  view.setUint32(164, superblock.correctedReadCount, true);
  putUuid(bytes, 168, superblock.deviceUuid);
  view.setUint8(184, superblock.deviceFlags);
  view.setUint8(185, superblock.badBlockShift);
  view.setUint16(186, superblock.badBlockSectors, true);
  view.setInt32(188, superblock.badBlockOffsetSectors, true);
  putTimestamp(view, 192, superblock.updatedAt);
  view.setBigUint64(200, eventCount, true);
  view.setBigUint64(
    208,
    superblock.resyncSectors === null ? MAX_SECTOR : BigInt(superblock.resyncSectors),
    true,
  );
  view.setUint32(220, roles.length, true);
  roles.forEach((role, index) => view.setUint16(SUPERBLOCK_HEAD_LENGTH + 2 * index, role, true));
  view.setUint32(216, checksumOf(bytes, roles.length), true);
  return bytes;
}

/** The role of the member itself: its index in the array, or one of `Role`. */
export function ownRole(superblock: Superblock): number {
  return superblock.roles[superblock.deviceNumber] ?? Role.spare;
}

/** Sum of all 32-bit words, the checksum's own taken as zero; what passes 32 bits is added once more. */
function checksumOf(bytes: Uint8Array, deviceCount: number): number {
  const view = viewOf(bytes);
  const length = SUPERBLOCK_HEAD_LENGTH + 2 * deviceCount;
  let sum = 0;
  for (let at = 0; at + 4 <= length; at += 4) if (at !== 216) sum += view.getUint32(at, true);
  if (length % 4 === 2) sum += view.getUint16(length - 2, true);
  return ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) >>> 0;
}

function putSectors(view: DataView, at: number, sectors: number): void {
  assert(Number.isSafeInteger(sectors) && sectors >= 0, "sectors are whole and not negative");
  view.setBigUint64(at, BigInt(sectors), true);
}

function putTimestamp(view: DataView, at: number, { seconds, microseconds }: Timestamp): void {
  view.setBigUint64(at, BigInt(seconds) | (BigInt(microseconds) << 40n), true);
}

function putUuid(bytes: Uint8Array, at: number, uuid: string): void {
  const parsed = parseUuid(uuid);
  assert(parsed !== null, "a UUID has 32 hexadecimal digits");
  bytes.set(parsed, at);
}

function putName(bytes: Uint8Array, at: number, lengthMax: number, name: string): void {
  const encoded = encodeName(name);
  assert(encoded.length <= lengthMax, `a name takes at most ${lengthMax} bytes`);
  bytes.set(encoded, at);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
