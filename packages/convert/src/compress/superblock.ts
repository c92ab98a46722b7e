import { crc32 } from "./crc32.ts";
import { MetadataError } from "@cev/core";
import { BIN_UNITS, Kind } from "./entry.ts";

/** Bytes of a superblock, and of everything else that is written as one piece. */
export const PAGE_LENGTH = 4096;
/** Where the journal begins: behind the superblock and its copy. */
export const JOURNAL_OFFSET = 8192;
/** Bytes of a sector of the map: written whole or not at all. */
export const SECTOR_LENGTH = 512;
/** Entries in a sector of the map. */
export const SECTOR_ENTRIES = 31;

/** Compression levels begin at 1. */
export const LEVEL_MAX = 9;
export const CHUNK_SIZE_MIN = 4096;
export const CHUNK_SIZE_MAX = 1_048_576;
export const HALF_LENGTH_MIN: number = 2 * PAGE_LENGTH;
export const HALF_LENGTH_MAX: number = 64 * 1_048_576;

/** A device shows at most so many times what it stands on. */
export const EXPANSION_MAX = 4096;
/** Of journal and map: far beyond what any device comes to, and what still can be counted up from. */
export const EPOCH_MAX: number = 2 ** 48;

const MAGIC = [0x63, 0x65, 0x76, 0x63, 0x6d, 0x70, 0x72, 0x73];
const VERSION = 1;
const STRUCTURE = "compression superblock";

/** How chunks that are written from now on are compressed. */
export type CodecKind = typeof Kind.zstd | typeof Kind.deflate;

/** What a superblock says. Offsets, lengths and sizes are bytes. */
export interface Superblock {
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** 8 bytes, random: leftovers of an older format carry another. */
  readonly formatId: Uint8Array;
  readonly size: number;
  readonly chunkSize: number;
  /** Of one half of the journal. */
  readonly halfLength: number;
  readonly mapOffset: number;
  readonly mapLength: number;
  readonly dataOffset: number;
  readonly binCount: number;
  readonly codec: CodecKind;
  readonly level: number;
}

/** Whether this is a superblock of this format, be it in order or not. */
export function hasMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

/** The bytes of a superblock. */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const bytes = new Uint8Array(PAGE_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  bytes.set(superblock.uuid, 16);
  bytes.set(superblock.formatId, 32);
  setSize(view, 40, superblock.size);
  view.setUint32(48, superblock.chunkSize, true);
  view.setUint32(52, superblock.halfLength, true);
  setSize(view, 56, superblock.mapOffset);
  setSize(view, 64, superblock.mapLength);
  setSize(view, 72, superblock.dataOffset);
  setSize(view, 80, superblock.binCount);
  view.setUint8(88, superblock.codec);
  view.setUint8(89, superblock.level);
  view.setUint32(PAGE_LENGTH - 4, crc32(bytes.subarray(0, PAGE_LENGTH - 4)), true);
  return bytes;
}

/**
 * Takes a superblock apart. `lowerSize` bounds its areas. Throws `CEV_BAD_METADATA`, or `CEV_UNKNOWN_FEATURE` for one that was
 * written by what knows more.
 */
export function decodeSuperblock(bytes: Uint8Array, byteOffset: number, lowerSize: number): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_LENGTH);
  const bad = (field: string, at: number, message: string): MetadataError =>
    new MetadataError(message, { structure: STRUCTURE, field, byteOffset: byteOffset + at });
  if (!hasMagic(bytes)) throw bad("magic", 0, "there is no superblock here");
  if (view.getUint32(PAGE_LENGTH - 4, true) !== crc32(bytes.subarray(0, PAGE_LENGTH - 4)))
    throw bad("checksum", PAGE_LENGTH - 4, "the checksum is wrong");
  const [version, features] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (version !== VERSION || features !== 0)
    throw new MetadataError(
      `version ${version} with the features ${features} is not known here`,
      { structure: STRUCTURE, field: "version", byteOffset: byteOffset + 8 },
      "CEV_UNKNOWN_FEATURE",
    );
  const codec = view.getUint8(88);
  if (codec !== Kind.zstd && codec !== Kind.deflate)
    throw new MetadataError(
      `the codec ${codec} is not known here`,
      { structure: STRUCTURE, field: "codec", byteOffset: byteOffset + 88 },
      "CEV_UNKNOWN_FEATURE",
    );
  const superblock: Superblock = {
    uuid: bytes.slice(16, 32),
    formatId: bytes.slice(32, 40),
    size: getSize(view, 40),
    chunkSize: view.getUint32(48, true),
    halfLength: view.getUint32(52, true),
    mapOffset: getSize(view, 56),
    mapLength: getSize(view, 64),
    dataOffset: getSize(view, 72),
    binCount: getSize(view, 80),
    codec,
    level: view.getUint8(89),
  };
  const issue = areaIssue(superblock, lowerSize);
  if (issue !== null) throw bad(...issue);
  return superblock;
}

/** Field, its place, and what is wrong with it. */
type Issue = readonly [field: string, at: number, message: string];

function areaIssue(superblock: Superblock, lowerSize: number): Issue | null {
  const { size, chunkSize, halfLength, mapOffset, mapLength, dataOffset, binCount, level } = superblock;
  if (level < 1 || level > LEVEL_MAX) return ["level", 89, `the level ${level}`];
  const isChunk =
    chunkSize >= CHUNK_SIZE_MIN && chunkSize <= CHUNK_SIZE_MAX && Number.isInteger(Math.log2(chunkSize));
  if (!isChunk) return ["chunk size", 48, `chunks of ${chunkSize} bytes`];
  if (halfLength < HALF_LENGTH_MIN || halfLength > HALF_LENGTH_MAX || halfLength % PAGE_LENGTH !== 0)
    return ["journal length", 52, `halves of the journal of ${halfLength} bytes`];
  if (size === 0 || !(size <= lowerSize * EXPANSION_MAX) || size % chunkSize !== 0)
    return ["size", 40, `a size of ${size} bytes`];
  if (mapOffset !== JOURNAL_OFFSET + 2 * halfLength) return ["map offset", 56, `a map at ${mapOffset}`];
  if (mapLength !== mapLengthOf(size / chunkSize)) return ["map length", 64, `a map of ${mapLength} bytes`];
  if (dataOffset < mapOffset + mapLength || dataOffset > lowerSize || dataOffset % chunkSize !== 0)
    return ["data offset", 72, `data at ${dataOffset}`];
  if (binCount === 0 || !(binCount <= (lowerSize - dataOffset) / chunkSize))
    return ["bin count", 80, `${binCount} bins of ${chunkSize} bytes from ${dataOffset} on in ${lowerSize}`];
  return null;
}

/** Bytes of the map of so many chunks. */
export function mapLengthOf(chunkCount: number): number {
  const length = Math.ceil(chunkCount / SECTOR_ENTRIES) * SECTOR_LENGTH;
  return Math.ceil(length / PAGE_LENGTH) * PAGE_LENGTH;
}

/** Bytes of a unit: what room is given out in. */
export const unitOf = (chunkSize: number): number => chunkSize / BIN_UNITS;

/** Puts a size of up to 53 bits into 64. */
export function setSize(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** 64 bits as a number; NaN where that is no safe integer. */
export function getSize(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}
