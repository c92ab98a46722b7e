import { assert } from "@cev/core";
import { formatName, formatUuid } from "./identity.ts";
import {
  checksumOf,
  findRemnants,
  putName,
  putRemnants,
  putSectors,
  putTimestamp,
  putUuid,
  viewOf,
} from "./superblock-bytes.ts";
import { FeatureFlag, unknownFeatures } from "./superblock-features.ts";
import { SuperblockFields } from "./superblock-fields.ts";
import { checkGeometry } from "./superblock-geometry.ts";
import { Role, SUPERBLOCK_LENGTH_MAX, SUPERBLOCK_MAGIC } from "./superblock-model.ts";
import type { PartialParityLog, Reshape, Superblock, SuperblockPlace } from "./superblock-model.ts";

/** Bytes before the table of roles. */
export const SUPERBLOCK_HEAD_LENGTH = 256;
/** Entries in the table of roles. */
export const DEVICES_MAX: number = (SUPERBLOCK_LENGTH_MAX - SUPERBLOCK_HEAD_LENGTH) / 2;
const CHECKSUM_AT = 216;
const MAX_SECTOR = 0xffff_ffff_ffff_ffffn;

/** Decodes and checks a version 1 superblock: see `decodeSuperblock`. */
export function decodeSuperblock1(bytes: Uint8Array, place: SuperblockPlace): Superblock {
  const fields = new SuperblockFields(bytes, place);
  fields.check(bytes.length >= SUPERBLOCK_HEAD_LENGTH, "magic", "the superblock is cut short");
  fields.check(fields.uint32(0) === SUPERBLOCK_MAGIC, "magic", "the magic number is wrong");
  fields.check(fields.uint32(4) === 1, "majorVersion", `major version ${fields.uint32(4)} is not 1`);
  const deviceCount = fields.uint32(220);
  fields.check(
    deviceCount <= DEVICES_MAX && SUPERBLOCK_HEAD_LENGTH + 2 * deviceCount <= bytes.length,
    "roleCount",
    `${deviceCount} devices do not fit into a superblock`,
  );
  const length = SUPERBLOCK_HEAD_LENGTH + 2 * deviceCount;
  fields.check(
    fields.uint32(CHECKSUM_AT) === checksumOf(bytes, length, CHECKSUM_AT),
    "checksum",
    "the checksum is wrong: something in the superblock was changed",
  );
  const features = fields.uint32(8);
  const unknown = unknownFeatures(features);
  if (unknown !== 0)
    fields.refuse("features", `it uses features that are unknown: 0x${unknown.toString(16)}`);
  const superblock = decodeFields(bytes, fields, features, deviceCount);
  // A number past the table of roles is a spare's; one that no table has room for is nobody's.
  fields.check(
    superblock.deviceNumber < DEVICES_MAX,
    "deviceNumber",
    `device number ${superblock.deviceNumber} does not fit into a superblock`,
  );
  checkGeometry(superblock, fields);
  const plain = encodeSuperblock1(superblock);
  return { ...superblock, remnants: findRemnants(bytes, plain, superblock.eventCount, CHECKSUM_AT) };
}

function decodeFields(
  bytes: Uint8Array,
  fields: SuperblockFields,
  features: number,
  deviceCount: number,
): Superblock {
  const deviceNumber = fields.uint32(160);
  const roles = Array.from({ length: deviceCount }, (_, index) =>
    fields.uint16(SUPERBLOCK_HEAD_LENGTH + 2 * index),
  );
  return {
    version: fields.place.version,
    features,
    arrayUuid: formatUuid(bytes, 16),
    arrayName: formatName(bytes, 32, 32),
    createdAt: fields.timestamp(64),
    level: fields.int32(72),
    layout: fields.uint32(76),
    sizeSectors: fields.sectors("size"),
    chunkSectors: fields.uint32(88),
    memberCount: fields.uint32(92),
    bitmapOffsetSectors: (features & FeatureFlag.bitmap) === 0 ? 0 : fields.int32(96),
    partialParityLog: decodePartialParityLog(fields, features),
    reshape: (features & FeatureFlag.reshape) === 0 ? null : decodeReshape(fields, features),
    dataOffsetSectors: fields.sectors("dataOffset"),
    dataSizeSectors: fields.sectors("dataSize"),
    superOffsetSectors: fields.sectors("superOffset"),
    recoverySectors: (features & FeatureFlag.recovery) === 0 ? 0 : fields.sectors("recoveryOffset"),
    journalTailSectors: roles[deviceNumber] === Role.journal ? fields.sectors("recoveryOffset") : 0,
    deviceNumber,
    correctedReadCount: fields.uint32(164),
    deviceUuid: formatUuid(bytes, 168),
    deviceFlags: bytes[184]!,
    badBlockShift: bytes[185]!,
    badBlockSectors: fields.uint16(186),
    badBlockOffsetSectors: fields.int32(188),
    updatedAt: fields.timestamp(192),
    eventCount: fields.uint64(200),
    resyncSectors: fields.uint64(208) === MAX_SECTOR ? null : fields.sectors("resyncOffset"),
    roles,
    old: null,
    remnants: null,
  };
}

function decodeReshape(fields: SuperblockFields, features: number): Reshape {
  return {
    positionSectors: fields.sectors("reshapePosition"),
    level: fields.int32(100),
    memberDelta: fields.int32(112),
    layout: fields.uint32(116),
    chunkSectors: fields.uint32(120),
    offsetSectors: (features & FeatureFlag.newOffset) === 0 ? 0 : fields.int32(124),
  };
}

function decodePartialParityLog(fields: SuperblockFields, features: number): PartialParityLog | null {
  const flags = FeatureFlag.partialParityLog | FeatureFlag.multiplePartialParityLogs;
  if ((features & flags) === 0) return null;
  fields.check(
    (features & FeatureFlag.bitmap) === 0,
    "features",
    "it has a bitmap and a partial parity log, which lie in one place",
  );
  return { offsetSectors: fields.int16(96), sizeSectors: fields.uint16(98) };
}

/** The bytes of a version 1 superblock, checksum included: 256 and two for each device. */
export function encodeSuperblock1(superblock: Superblock): Uint8Array {
  const { roles, eventCount, features, partialParityLog, reshape } = superblock;
  assert(roles.length <= DEVICES_MAX, "the table of roles fits into a superblock");
  assert(eventCount >= 0n && eventCount < 1n << 64n, "event count fits in 64 bits");
  const bytes = new Uint8Array(SUPERBLOCK_HEAD_LENGTH + 2 * roles.length);
  const view = viewOf(bytes);
  view.setUint32(0, SUPERBLOCK_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, features, true);
  putUuid(bytes, 16, superblock.arrayUuid);
  putName(bytes, 32, 32, superblock.arrayName);
  putTimestamp(view, 64, superblock.createdAt);
  view.setInt32(72, superblock.level, true);
  view.setUint32(76, superblock.layout, true);
  putSectors(view, 80, superblock.sizeSectors);
  view.setUint32(88, superblock.chunkSectors, true);
  view.setUint32(92, superblock.memberCount, true);
  view.setInt32(96, superblock.bitmapOffsetSectors, true);
  if (partialParityLog !== null) {
    view.setInt16(96, partialParityLog.offsetSectors, true);
    view.setUint16(98, partialParityLog.sizeSectors, true);
  }
  if (reshape !== null) {
    view.setInt32(100, reshape.level, true);
    putSectors(view, 104, reshape.positionSectors);
    view.setInt32(112, reshape.memberDelta, true);
    view.setUint32(116, reshape.layout, true);
    view.setUint32(120, reshape.chunkSectors, true);
    view.setInt32(124, reshape.offsetSectors, true);
  }
  putSectors(view, 128, superblock.dataOffsetSectors);
  putSectors(view, 136, superblock.dataSizeSectors);
  putSectors(view, 144, superblock.superOffsetSectors);
  putSectors(view, 152, Math.max(superblock.recoverySectors, superblock.journalTailSectors));
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
  putRemnants(view, superblock.remnants, eventCount);
  view.setUint32(CHECKSUM_AT, checksumOf(bytes, bytes.length, CHECKSUM_AT), true);
  return bytes;
}
