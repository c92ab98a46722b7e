import { assert } from "@cev/core";
import { parseUuid } from "./identity.ts";
import { checksumOf, findRemnants, putRemnants, putSectors, viewOf } from "./superblock-bytes.ts";
import { FeatureFlag } from "./superblock-features.ts";
import { SuperblockFields } from "./superblock-fields.ts";
import { checkGeometry } from "./superblock-geometry.ts";
import { decodeOldDevices, encodeOldDevices } from "./superblock-old-devices.ts";
import type { OldDevices } from "./superblock-old-devices.ts";
import { SUPERBLOCK_LENGTH_MAX, SUPERBLOCK_MAGIC } from "./superblock-model.ts";
import type { Reshape, Superblock, SuperblockPlace } from "./superblock-model.ts";

const CHECKSUM_AT = 152;
/** Sectors from the superblock to the bitmap. */
export const OLD_BITMAP_OFFSET_SECTORS = 8;
const NO_POSITION = 0xffff_ffff;
// A 32-bit number of sectors in the kernel, for levels with redundancy.
const DATA_SECTORS_MAX = 2 ** 32 - 2;

/** Bits of `state`; the second was set by kernels long ago. */
const ArrayState = { clean: 0x1, errors: 0x2, bitmap: 0x100 } as const;
const STATE_KNOWN = ArrayState.clean | ArrayState.errors | ArrayState.bitmap;

/** True where bytes begin with md's magic as a machine of the other byte order writes it. */
export function hasForeignMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, false) === SUPERBLOCK_MAGIC;
}

/** Decodes and checks a version 0.90 superblock (or 0.91, during a reshape): see `decodeSuperblock`. */
export function decodeOldSuperblock(bytes: Uint8Array, place: SuperblockPlace): Superblock {
  const fields = new SuperblockFields(bytes, place);
  fields.check(bytes.length >= SUPERBLOCK_LENGTH_MAX, "magic", "the superblock is cut short");
  if (hasForeignMagic(bytes))
    fields.refuse(
      "magic",
      "it was written by a machine of the other byte order, which is not supported: mdadm can turn it round there (--update=byteorder)",
    );
  fields.check(fields.uint32(0) === SUPERBLOCK_MAGIC, "magic", "the magic number is wrong");
  fields.check(fields.uint32(4) === 0, "majorVersion", `major version ${fields.uint32(4)} is not 0`);
  const minorVersion = fields.uint32(8);
  if (minorVersion !== 90 && minorVersion !== 91)
    fields.refuse("minorVersion", `superblocks of version 0.${minorVersion} are unknown`);
  fields.check(
    fields.uint32(CHECKSUM_AT) === checksumOf(bytes, SUPERBLOCK_LENGTH_MAX, CHECKSUM_AT),
    "checksum",
    "the checksum is wrong: something in the superblock was changed",
  );
  const unknown = (fields.uint32(132) & ~STATE_KNOWN) >>> 0;
  if (unknown !== 0)
    fields.refuse("features", `its state has bits that are unknown: 0x${unknown.toString(16)}`);
  const superblock = decodeFields(fields, minorVersion === 91);
  checkGeometry(superblock, fields);
  const plain = encodeOldSuperblock(superblock);
  return { ...superblock, remnants: findRemnants(bytes, plain, superblock.eventCount, CHECKSUM_AT) };
}

function decodeFields(fields: SuperblockFields, isReshaping: boolean): Superblock {
  const { deviceSize, byteOffset } = fields.place;
  const table = decodeOldDevices(fields, isReshaping);
  const state = fields.uint32(132);
  const level = fields.int32(28);
  const chunkSize = fields.uint32(260);
  const hasBitmap = (state & ArrayState.bitmap) !== 0;
  const dataSectors = Math.floor(Math.min(byteOffset, deviceSize) / 512);
  fields.check(chunkSize % 512 === 0, "chunk", `a chunk of ${chunkSize} bytes is not made of whole sectors`);
  return {
    version: "0.90",
    features: featuresOf(hasBitmap, isReshaping, table),
    arrayUuid: [20, 52, 56, 60].map((at) => fields.uint32(at).toString(16).padStart(8, "0")).join(":"),
    arrayName: "",
    createdAt: { seconds: fields.uint32(24), microseconds: 0 },
    level,
    layout: fields.uint32(256),
    sizeSectors: fields.uint32(32) * 2,
    chunkSectors: chunkSize / 512,
    memberCount: fields.uint32(40),
    bitmapOffsetSectors: hasBitmap ? OLD_BITMAP_OFFSET_SECTORS : 0,
    partialParityLog: null,
    reshape: isReshaping ? decodeReshape(fields) : null,
    dataOffsetSectors: 0,
    dataSizeSectors: level >= 1 ? Math.min(dataSectors, DATA_SECTORS_MAX) : dataSectors,
    superOffsetSectors: byteOffset / 512,
    recoverySectors: 0,
    journalTailSectors: 0,
    deviceNumber: table.ownNumber,
    correctedReadCount: 0,
    deviceUuid: "",
    deviceFlags: table.ownFlags,
    badBlockShift: 0,
    badBlockSectors: 0,
    badBlockOffsetSectors: 0,
    updatedAt: { seconds: fields.uint32(128), microseconds: 0 },
    eventCount: fields.uint64(156),
    resyncSectors: decodeResyncPosition(fields, (state & ArrayState.clean) !== 0),
    roles: table.roles,
    old: { preferredMinor: fields.uint32(44), patchVersion: fields.uint32(12), devices: table.devices },
    remnants: null,
  };
}

function featuresOf(hasBitmap: boolean, isReshaping: boolean, { isRecovering }: OldDevices): number {
  return (
    (hasBitmap ? FeatureFlag.bitmap : 0) |
    (isReshaping ? FeatureFlag.reshape : 0) |
    (isRecovering ? FeatureFlag.recovery : 0)
  );
}

function decodeReshape(fields: SuperblockFields): Reshape {
  const chunkSize = fields.uint32(196);
  fields.check(
    chunkSize % 512 === 0,
    "newChunk",
    `a chunk of ${chunkSize} bytes is not made of whole sectors`,
  );
  return {
    positionSectors: fields.sectors("reshapePosition"),
    level: fields.int32(184),
    memberDelta: fields.int32(188),
    layout: fields.uint32(192),
    chunkSectors: chunkSize / 512,
    offsetSectors: 0,
  };
}

/** The position counts only where it was written together with the rest. */
function decodeResyncPosition(fields: SuperblockFields, isClean: boolean): number | null {
  if (isClean) return null;
  return fields.uint64(164) === fields.uint64(156) ? fields.uint32(172) : 0;
}

/** The 4096 bytes of a version 0.90 superblock, checksum included. */
export function encodeOldSuperblock(superblock: Superblock): Uint8Array {
  const { old, eventCount, reshape, features, resyncSectors } = superblock;
  assert(old !== null, "a superblock of version 0.90 has what only that version has");
  assert(eventCount >= 0n && eventCount < 1n << 64n, "event count fits in 64 bits");
  const bytes = new Uint8Array(SUPERBLOCK_LENGTH_MAX);
  const view = viewOf(bytes);
  view.setUint32(0, SUPERBLOCK_MAGIC, true);
  view.setUint32(8, reshape === null ? 90 : 91, true);
  view.setUint32(12, old.patchVersion, true);
  putOldUuid(view, superblock.arrayUuid);
  view.setUint32(24, superblock.createdAt.seconds, true);
  view.setInt32(28, superblock.level, true);
  view.setUint32(32, Math.floor(superblock.sizeSectors / 2), true);
  view.setUint32(40, superblock.memberCount, true);
  view.setUint32(44, old.preferredMinor, true);
  view.setUint32(128, superblock.updatedAt.seconds, true);
  view.setUint32(132, stateOf(features, resyncSectors === null), true);
  view.setBigUint64(156, eventCount, true);
  if (resyncSectors !== 0) {
    view.setBigUint64(164, eventCount, true);
    // What 32 bits cannot hold begins anew a little earlier.
    view.setUint32(172, resyncSectors === null ? NO_POSITION : Math.min(resyncSectors, NO_POSITION), true);
  }
  if (reshape !== null) {
    putSectors(view, 176, reshape.positionSectors);
    view.setInt32(184, reshape.level, true);
    view.setInt32(188, reshape.memberDelta, true);
    view.setUint32(192, reshape.layout, true);
    view.setUint32(196, reshape.chunkSectors * 512, true);
  }
  view.setUint32(256, superblock.layout, true);
  view.setUint32(260, superblock.chunkSectors * 512, true);
  encodeOldDevices(superblock, view);
  putRemnants(view, superblock.remnants, eventCount);
  view.setUint32(CHECKSUM_AT, checksumOf(bytes, bytes.length, CHECKSUM_AT), true);
  return bytes;
}

function stateOf(features: number, isClean: boolean): number {
  return (isClean ? ArrayState.clean : 0) | ((features & FeatureFlag.bitmap) === 0 ? 0 : ArrayState.bitmap);
}

/** Its four words lie apart. */
function putOldUuid(view: DataView, uuid: string): void {
  const parsed = parseUuid(uuid);
  assert(parsed !== null, "a UUID has 32 hexadecimal digits");
  const words = viewOf(parsed);
  [20, 52, 56, 60].forEach((at, index) => view.setUint32(at, words.getUint32(4 * index, false), true));
}

/** The UUID of a version 0.90 array as its bitmap has it: the bytes of each word the other way round. */
export function oldBitmapUuid(arrayUuid: string): string {
  return arrayUuid
    .split(":")
    .map((word) => (word.match(/../g) ?? []).reverse().join(""))
    .join(":");
}
