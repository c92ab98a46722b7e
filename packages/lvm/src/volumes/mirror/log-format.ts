import { MetadataError, assert } from "@cev/core";
import type { StructurePlace } from "../../disk/bytes.ts";

/**
 * The log of a mirror on disk, as the kernel's `dm-log` keeps it, little-endian:
 *
 *     0   magic 0x4D695272 ("rRiM")
 *     4   version, 2
 *     8   number of regions, 64 bits
 *     1024   one bit for each region, lowest first; set: all images hold the same there
 */
export interface MirrorLogHeader {
  readonly regionCount: number;
}

const MAGIC = 0x4d69_5272;
const VERSION = 2;
/** Byte offset of the bits. */
export const BITS_OFFSET = 1024;
const HEADER_LENGTH = 16;

/** Bytes that the bits take: whole words of 32. */
export function bitsLength(regionCount: number): number {
  return Math.ceil(regionCount / 32) * 4;
}

/** Null: there is no log yet, so nothing is known to be in sync. Throws `CEV_UNKNOWN_FEATURE` for another version. */
export function decodeMirrorLog(bytes: Uint8Array, place: StructurePlace): MirrorLogHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_LENGTH);
  if (view.getUint32(0, true) !== MAGIC) return null;
  const version = view.getUint32(4, true);
  // The first version differs on big-endian machines alone.
  if (version !== VERSION && version !== 1)
    throw new MetadataError(
      `is ${version}, and ${VERSION} is the only one that is known`,
      { ...place, field: "version", byteOffset: 4 },
      "CEV_UNKNOWN_FEATURE",
    );
  return { regionCount: Number(view.getBigUint64(8, true)) };
}

/** The first 16 bytes. */
export function encodeMirrorLog({ regionCount }: MirrorLogHeader): Uint8Array {
  assert(Number.isSafeInteger(regionCount) && regionCount > 0, "a mirror has at least one region");
  const bytes = new Uint8Array(HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setBigUint64(8, BigInt(regionCount), true);
  return bytes;
}

/** Bits that count those set among the first `count`. */
export function countBits(bits: Uint8Array, count: number): number {
  let set = 0;
  for (let index = 0; index < count; index++) if (hasBit(bits, index)) set++;
  return set;
}

export function hasBit(bits: Uint8Array, index: number): boolean {
  return (bits[index >>> 3]! & (1 << (index & 7))) !== 0;
}

export function setBit(bits: Uint8Array, index: number): void {
  bits[index >>> 3]! |= 1 << (index & 7);
}

export function clearBit(bits: Uint8Array, index: number): void {
  bits[index >>> 3]! &= ~(1 << (index & 7));
}
