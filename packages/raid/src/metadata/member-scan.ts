import { MetadataError, isCevError, readBytes } from "@cev/core";
import type { CevError, Environment, NamedLayer } from "@cev/core";
import { decodeBadBlocks } from "./bad-blocks.ts";
import type { BadRange } from "./bad-blocks.ts";
import {
  BITMAP_HEAD_LENGTH,
  BitmapState,
  bitmapLength,
  bitmapSyncSectors,
  decodeBitmapHead,
} from "./bitmap.ts";
import type { BitmapHead } from "./bitmap.ts";
import { FeatureFlag } from "./superblock-features.ts";
import { hasForeignMagic, oldBitmapUuid } from "./superblock-old.ts";
import { SUPERBLOCK_LENGTH_MAX, decodeSuperblock, hasSuperblockMagic, syncSectors } from "./superblock.ts";
import type { Superblock, SuperblockVersion } from "./superblock.ts";

const SECTOR = 512;

/** A device to look at: what it is called, its size in bytes, and how its bytes are read. */
export interface ScanTarget {
  readonly source: string;
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A layer as a device to look at. */
export function scanTarget({ name, layer }: NamedLayer, environment: Environment): ScanTarget {
  return {
    source: name,
    size: layer.limits.size,
    read: (offset, length) => readBytes(layer, environment, offset, length),
  };
}

/** A bitmap as one member has it: its bits are the bytes after the head. */
export interface MemberBitmap {
  readonly head: BitmapHead;
  readonly bits: Uint8Array;
}

/** Where a superblock lies on a device of this size, in bytes; null where it has no room. */
export function superblockOffset(version: SuperblockVersion, deviceSize: number): number | null {
  if (version === "0.90") return oldSuperblockOffset(deviceSize);
  let offset: number;
  if (version === "1.0") {
    const sectors = Math.floor(deviceSize / SECTOR) - 16;
    offset = (sectors - (sectors % 8)) * SECTOR;
  } else {
    offset = version === "1.1" ? 0 : 4096;
  }
  return offset >= 0 && offset + SUPERBLOCK_LENGTH_MAX <= deviceSize ? offset : null;
}

/** Where a version 0.90 superblock lies: in the last whole 64 KiB but one; null where it has no room. */
export function oldSuperblockOffset(deviceSize: number): number | null {
  const offset = deviceSize - (deviceSize % 65_536) - 65_536;
  return offset >= 0 ? offset : null;
}

/**
 * Finds and decodes the superblock of a device: of several (one in each place) that of the array made last, as mdadm
 * does. Null: it has none. Throws a `MetadataError` where there is none that can be accepted.
 */
export async function readSuperblock(target: ScanTarget): Promise<Superblock | null> {
  let newest: Superblock | null = null;
  let refused: CevError | null = null;
  for (const version of ["1.2", "1.1", "1.0", "0.90"] as const) {
    const byteOffset = superblockOffset(version, target.size);
    if (byteOffset === null) continue;
    const bytes = await target.read(byteOffset, SUPERBLOCK_LENGTH_MAX);
    if (!mayBeSuperblock(bytes, version)) continue;
    try {
      const place = { source: target.source, deviceSize: target.size, version, byteOffset };
      const superblock = decodeSuperblock(bytes, place);
      if (newest === null || superblock.createdAt.seconds > newest.createdAt.seconds) newest = superblock;
    } catch (error) {
      // What lies in another place may be the one that counts; else the first refusal is the answer.
      if (!isCevError(error)) throw error;
      refused ??= error;
    }
  }
  if (newest === null && refused !== null) throw refused;
  return newest;
}

/** The place of one version may be that of another on a small device: the major version tells them apart. */
function mayBeSuperblock(bytes: Uint8Array, version: SuperblockVersion): boolean {
  if (version !== "0.90") return hasSuperblockMagic(bytes);
  return (hasSuperblockMagic(bytes) && bytes[4] === 0) || hasForeignMagic(bytes);
}

/**
 * Reads the bitmap that a superblock speaks of. Null: there is none. One of another size (the power went while the array
 * grew) comes in the size of the array, and as stale: all of it counts as marked. Throws a `MetadataError`.
 */
export async function readBitmap(target: ScanTarget, superblock: Superblock): Promise<MemberBitmap | null> {
  const { bitmapOffsetSectors, superOffsetSectors } = superblock;
  if (bitmapOffsetSectors === 0) return null;
  const byteOffset = (superOffsetSectors + bitmapOffsetSectors) * SECTOR;
  const arrayUuid = bitmapUuid(superblock);
  const bytes = await target.read(byteOffset, BITMAP_HEAD_LENGTH);
  const found = bitmapSyncSectors(bytes);
  const place = { source: target.source, byteOffset, arrayUuid, sizeSectors: found };
  const own = decodeBitmapHead(bytes, place);
  const size = syncSectors(superblock);
  const head = found === size ? own : { ...own, syncSectors: size, state: own.state | BitmapState.stale };
  const length = bitmapLength(head);
  if (byteOffset + length > bitmapEndMax(superblock, target.size)) {
    throw new MetadataError(`a bitmap of ${length} bytes reaches into other things`, {
      source: target.source,
      structure: "md bitmap",
      field: "chunksize",
      byteOffset: byteOffset + 52,
    });
  }
  if (found !== size) return { head, bits: new Uint8Array(length - BITMAP_HEAD_LENGTH).fill(0xff) };
  const bits = await target.read(byteOffset + BITMAP_HEAD_LENGTH, length - BITMAP_HEAD_LENGTH);
  return { head, bits: Uint8Array.from(bits) };
}

/** The UUID that the bitmap of an array has: version 0.90 writes it another way there. */
export function bitmapUuid({ version, arrayUuid }: Superblock): string {
  return version === "0.90" ? oldBitmapUuid(arrayUuid) : arrayUuid;
}

/** The byte at which whatever follows a bitmap begins. */
function bitmapEndMax(superblock: Superblock, deviceSize: number): number {
  const { superOffsetSectors, dataOffsetSectors, badBlockSectors, badBlockOffsetSectors } = superblock;
  const bitmapStart = (superOffsetSectors + superblock.bitmapOffsetSectors) * SECTOR;
  const others = [superOffsetSectors * SECTOR, dataOffsetSectors * SECTOR, deviceSize];
  if (badBlockSectors > 0) others.push((superOffsetSectors + badBlockOffsetSectors) * SECTOR);
  return Math.min(...others.filter((offset) => offset > bitmapStart));
}

/**
 * Reads the ranges of a member's data that its log of bad blocks names, in rising order. Throws a `MetadataError` where
 * the log cannot be accepted: then nothing of the member's data is known to be good.
 */
export async function readBadBlocks(target: ScanTarget, superblock: Superblock): Promise<BadRange[]> {
  if ((superblock.features & FeatureFlag.badBlocks) === 0) return [];
  const byteOffset = (superblock.superOffsetSectors + superblock.badBlockOffsetSectors) * SECTOR;
  const bytes = await target.read(byteOffset, superblock.badBlockSectors * SECTOR);
  return decodeBadBlocks(bytes, {
    source: target.source,
    byteOffset,
    deviceSize: target.size,
    shift: superblock.badBlockShift,
    dataStart: superblock.dataOffsetSectors * SECTOR,
    dataLength: superblock.dataSizeSectors * SECTOR,
  });
}
