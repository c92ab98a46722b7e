import { CevError } from "@cev/core";
import { OLD_BITMAP_OFFSET_SECTORS } from "./superblock-old.ts";
import type { SuperblockVersion } from "./superblock-model.ts";

// Where mdadm (4.2) puts things in a new array, in sectors: from its behaviour, to which tests hold these numbers.

const MIB_SECTORS = 2048;
const HEADROOM_SECTORS_MAX = 128 * MIB_SECTORS;
const BITMAP_HEAD_LENGTH = 256;
const BITMAP_CHUNK_MIN = 4096;
const BITMAP_CHUNK_DEFAULT = 64 * 1024 * 1024;
const BAD_BLOCK_SECTORS = 8;
const OLD_RESERVED_SECTORS = 128;
/** Bytes behind a superblock of version 0.90 that a bitmap may take. */
export const OLD_BITMAP_LENGTH_MAX: number = 60 * 1024;

/** Room kept for a bitmap on a member of that many sectors. */
export function bitmapRoomSectors(sectors: number): number {
  if (sectors < 128) return 0;
  if (sectors - 128 >= 200 * 1024 * MIB_SECTORS) return 256;
  if (sectors - 8 > 8 * 1024 * MIB_SECTORS) return 128;
  return 8;
}

/** Where the data of versions 1.1 and 1.2 begins: behind everything else, with room for a reshape to move it. */
export function defaultDataOffsetSectors(deviceSectors: number, chunkSectors: number): number {
  let headroom = HEADROOM_SECTORS_MAX;
  // About a thousandth of the device; not less than two chunks.
  while (headroom * 1024 > deviceSectors && (chunkSectors === 0 || headroom / 2 >= chunkSectors * 2))
    headroom = Math.floor(headroom / 2);
  const used = 24 + bitmapRoomSectors(deviceSectors) + headroom;
  return Math.ceil(used / MIB_SECTORS) * MIB_SECTORS;
}

/** Sectors of a device that a new array can use for data; not positive where the device is too small. */
export function usableSectors(version: SuperblockVersion, deviceSectors: number, dataOffset: number): number {
  if (version === "0.90")
    return deviceSectors - (deviceSectors % OLD_RESERVED_SECTORS) - OLD_RESERVED_SECTORS;
  if (version !== "1.0") return deviceSectors - dataOffset;
  return deviceSectors - (deviceSectors % 8) - (16 + BAD_BLOCK_SECTORS + bitmapRoomSectors(deviceSectors));
}

/** A bitmap that is to be made. */
export interface BitmapShape {
  /** Bytes of the sync space that one bit covers. */
  readonly chunkSize: number;
  /** From the superblock, in sectors. */
  readonly offsetSectors: number;
  /** What it takes, in whole 4 KiB. */
  readonly lengthSectors: number;
}

/** What a bitmap's shape depends on. */
export interface BitmapNeeds {
  readonly version: SuperblockVersion;
  /** What each member gives to the array. */
  readonly sizeSectors: number;
  /** What the bits cover. */
  readonly syncSectors: number;
  /** Bytes for a bit, where that was asked for. */
  readonly chunkSize: number | undefined;
}

/** Chooses place and chunk of a bitmap as mdadm does. Throws `CEV_INVALID` where there is no room. */
export function bitmapShape({ version, sizeSectors, syncSectors, chunkSize }: BitmapNeeds): BitmapShape {
  const isOld = version === "0.90";
  const room = isOld ? OLD_BITMAP_LENGTH_MAX / 512 : bitmapRoomSectors(sizeSectors);
  if (room <= 1)
    throw new CevError("CEV_INVALID", "there is no room for a bitmap: the members are too small", {
      hint: "create the array without one",
    });
  const bitsMax = (room * 512 - BITMAP_HEAD_LENGTH) * 8;
  let chunkMin = BITMAP_CHUNK_MIN;
  let bits = Math.floor((syncSectors * 512) / chunkMin) + 1;
  for (; bits > bitsMax; bits = Math.floor((bits + 1) / 2)) chunkMin *= 2;
  const chunk = chunkSize ?? Math.max(chunkMin, BITMAP_CHUNK_DEFAULT);
  if (chunk < chunkMin || !Number.isInteger(Math.log2(chunk)))
    throw new CevError(
      "CEV_INVALID",
      `a bitmap with a bit for ${chunk} bytes has no room: it must be a power of two from ${chunkMin} on`,
    );
  const lengthSectors = bitmapSectors(syncSectors, chunk);
  if (isOld) return { chunkSize: chunk, offsetSectors: OLD_BITMAP_OFFSET_SECTORS, lengthSectors: room };
  if (version !== "1.0") return { chunkSize: chunk, offsetSectors: 8, lengthSectors };
  // One bit more than it needs is counted there.
  const bytes = Math.ceil((Math.floor((syncSectors * 512) / chunk) + 1) / 8) + BITMAP_HEAD_LENGTH;
  const before = Math.ceil(bytes / 4096) * 8 + BAD_BLOCK_SECTORS;
  return { chunkSize: chunk, offsetSectors: -before, lengthSectors: before - BAD_BLOCK_SECTORS };
}

function bitmapSectors(syncSectors: number, chunkSize: number): number {
  const bits = Math.ceil((syncSectors * 512) / chunkSize);
  return Math.ceil((Math.ceil(bits / 8) + BITMAP_HEAD_LENGTH) / 4096) * 8;
}

/** Where things lie on one member, in sectors; bitmap and log count from the superblock. */
export interface MemberPlaces {
  readonly superOffset: number;
  readonly dataOffset: number;
  readonly dataSize: number;
  /** 0: no room for a log. */
  readonly badBlockSectors: number;
  readonly badBlockOffset: number;
}

/** What the places on a member depend on, in sectors. */
export interface MemberNeeds {
  readonly version: SuperblockVersion;
  readonly deviceSectors: number;
  readonly superOffset: number;
  readonly dataOffset: number;
  /** What each member gives to the array; 0 for linear and RAID0. */
  readonly sizeSectors: number;
  readonly bitmap: BitmapShape | null;
}

/** Chooses the places on one member as mdadm does. */
export function memberPlaces(needs: MemberNeeds): MemberPlaces {
  const { version, deviceSectors, superOffset, dataOffset, sizeSectors, bitmap } = needs;
  const room = bitmap?.lengthSectors ?? bitmapRoomSectors(sizeSectors);
  if (version === "0.90")
    return { superOffset, dataOffset: 0, dataSize: superOffset, badBlockSectors: 0, badBlockOffset: 0 };
  if (version === "1.0") {
    const reserved = Math.min(room + BAD_BLOCK_SECTORS, superOffset - sizeSectors);
    const log =
      reserved >= BAD_BLOCK_SECTORS
        ? { badBlockSectors: BAD_BLOCK_SECTORS, badBlockOffset: -BAD_BLOCK_SECTORS }
        : { badBlockSectors: 0, badBlockOffset: 0 };
    return { superOffset, dataOffset: 0, dataSize: superOffset - reserved, ...log };
  }
  const bitmapOffset = bitmap?.offsetSectors ?? 8;
  const places = { superOffset, dataOffset, dataSize: deviceSectors - dataOffset };
  if (dataOffset >= superOffset + bitmapOffset + room + BAD_BLOCK_SECTORS)
    return { ...places, badBlockSectors: BAD_BLOCK_SECTORS, badBlockOffset: bitmapOffset + room };
  if (dataOffset >= superOffset + 16 && bitmap === null)
    return {
      ...places,
      badBlockSectors: BAD_BLOCK_SECTORS,
      badBlockOffset: dataOffset - BAD_BLOCK_SECTORS - superOffset,
    };
  return { ...places, badBlockSectors: 0, badBlockOffset: 0 };
}
