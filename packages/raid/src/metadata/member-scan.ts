import { MetadataError, isCevError } from "@cev/core";
import type { CevError } from "@cev/core";
import { BITMAP_HEAD_LENGTH, bitmapLength, decodeBitmapHead } from "./bitmap.ts";
import type { BitmapHead } from "./bitmap.ts";
import { SUPERBLOCK_STRUCTURE } from "./superblock-fields.ts";
import { SUPERBLOCK_LENGTH_MAX, decodeSuperblock, hasSuperblockMagic } from "./superblock.ts";
import type { Superblock, SuperblockVersion } from "./superblock.ts";

const SECTOR = 512;

/** A device to look at: what it is called, its size in bytes, and how its bytes are read. */
export interface ScanTarget {
  readonly source: string;
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
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
 * Finds and decodes the superblock of a device. Null: it has none. Throws a `MetadataError` where there is one that
 * cannot be accepted, also for version 0.90, which is recognised only.
 */
export async function readSuperblock(target: ScanTarget): Promise<Superblock | null> {
  let refused: CevError | null = null;
  for (const version of ["1.2", "1.1", "1.0"] as const) {
    const byteOffset = superblockOffset(version, target.size);
    if (byteOffset === null) continue;
    const bytes = await target.read(byteOffset, SUPERBLOCK_LENGTH_MAX);
    if (!hasSuperblockMagic(bytes)) continue;
    try {
      return decodeSuperblock(bytes, { source: target.source, deviceSize: target.size, version, byteOffset });
    } catch (error) {
      // What lies in another place may be the one that counts; else the first refusal is the answer.
      if (!isCevError(error)) throw error;
      refused ??= error;
    }
  }
  if (refused !== null) throw refused;
  await refuseOldSuperblock(target);
  return null;
}

/** Reads the bitmap that a superblock speaks of. Null: there is none. Throws a `MetadataError`. */
export async function readBitmap(target: ScanTarget, superblock: Superblock): Promise<MemberBitmap | null> {
  const { bitmapOffsetSectors, superOffsetSectors, arrayUuid, sizeSectors } = superblock;
  if (bitmapOffsetSectors === 0) return null;
  const byteOffset = (superOffsetSectors + bitmapOffsetSectors) * SECTOR;
  const place = { source: target.source, byteOffset, arrayUuid, sizeSectors };
  const head = decodeBitmapHead(await target.read(byteOffset, BITMAP_HEAD_LENGTH), place);
  const length = bitmapLength(head);
  if (byteOffset + length > bitmapEndMax(superblock, target.size)) {
    throw new MetadataError(`a bitmap of ${length} bytes reaches into other things`, {
      source: target.source,
      structure: "md bitmap",
      field: "chunksize",
      byteOffset: byteOffset + 52,
    });
  }
  const bits = await target.read(byteOffset + BITMAP_HEAD_LENGTH, length - BITMAP_HEAD_LENGTH);
  return { head, bits: Uint8Array.from(bits) };
}

/** The byte at which whatever follows a bitmap begins. */
function bitmapEndMax(superblock: Superblock, deviceSize: number): number {
  const bitmapStart = (superblock.superOffsetSectors + superblock.bitmapOffsetSectors) * SECTOR;
  const others = [superblock.superOffsetSectors * SECTOR, superblock.dataOffsetSectors * SECTOR, deviceSize];
  return Math.min(...others.filter((offset) => offset > bitmapStart));
}

async function refuseOldSuperblock(target: ScanTarget): Promise<void> {
  const byteOffset = oldSuperblockOffset(target.size);
  if (byteOffset === null) return;
  const bytes = await target.read(byteOffset, 512);
  if (!hasSuperblockMagic(bytes)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = `${view.getUint32(4, true)}.${view.getUint32(8, true)}`;
  if (version !== "0.90" && version !== "0.91") return;
  throw new MetadataError(
    `superblocks of version ${version} are not supported yet`,
    {
      source: target.source,
      structure: SUPERBLOCK_STRUCTURE,
      field: "minor_version",
      byteOffset: byteOffset + 8,
    },
    "CEV_UNKNOWN_FEATURE",
  );
}

/** The message of an error of the world; anything else is thrown on. */
export function worldMessage(error: unknown): string {
  if (!isCevError(error)) throw error;
  return error.message;
}
