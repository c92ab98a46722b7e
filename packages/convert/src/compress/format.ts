import { CevError, MetadataError, Op, isCevError, readBytes, request, writeBytes } from "@cev/core";
import type { Environment, Layer, RequestTarget } from "@cev/core";
import { hasZstd, requireCodec } from "./codec.ts";
import { Kind } from "./entry.ts";
import { checkMapMemory } from "./load.ts";
import { encodeMapSector } from "./map-sector.ts";
import type { FormatOptions } from "./options.ts";
import {
  CHUNK_SIZE_MAX,
  CHUNK_SIZE_MIN,
  EXPANSION_MAX,
  HALF_LENGTH_MAX,
  HALF_LENGTH_MIN,
  JOURNAL_OFFSET,
  LEVEL_MAX,
  PAGE_LENGTH,
  SECTOR_LENGTH,
  decodeSuperblock,
  encodeSuperblock,
  hasMagic,
  mapLengthOf,
  unitOf,
} from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

const CHUNK_SIZE = 32_768;
const HALF_LENGTH_USUAL = 1_048_576;
/** Of what is made without saying how long a journal it wants. */
const HALF_LENGTH_LEAST: number = 4 * HALF_LENGTH_MIN;
const LOWER_BLOCK_MAX = 4096;
/**
 * Zeroes at the beginning of what may be made a compressed device. Some file systems leave the first 32 or 64 KiB as they are; and what was
 * begun to be made still is blank, because its map begins behind that.
 */
const BLANK_LENGTH = JOURNAL_OFFSET + 2 * HALF_LENGTH_LEAST;
// Written at once while a map is made.
const MAP_STEP = 1_048_576;

/** Runs that may be in use beside one for each chunk: those being written, and those that a commit will give back. */
export const slackOf = (binCount: number): number =>
  Math.min(4096, Math.max(16, Math.floor(binCount / 16))) + 1;

/** What a device was found to carry. */
export type Found = { readonly superblock: Superblock } | "blank" | "other";

/** Looks for a superblock. Throws `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE` for one that cannot be accepted. Writes nothing. */
export async function findSuperblock(lower: RequestTarget, environment: Environment): Promise<Found> {
  const { size } = lower.limits;
  if (size < JOURNAL_OFFSET) return "other";
  const errors: unknown[] = [];
  const copies: (Uint8Array | null)[] = [];
  for (const at of [0, PAGE_LENGTH])
    copies.push(
      await readBytes(lower, environment, at, PAGE_LENGTH).catch((error: unknown) => {
        // A place that cannot be read loses to the copy, too.
        if (!isCevError(error) || error.code !== "CEV_MEDIUM") throw error;
        errors.push(error);
        return null;
      }),
    );
  const isSomewhere = copies.some((copy) => copy !== null && hasMagic(copy));
  if (!isSomewhere) {
    if (errors.length > 0) throw errors[0];
    const start = await readBytes(lower, environment, 0, Math.min(BLANK_LENGTH, size));
    return start.every((byte) => byte === 0) ? "blank" : "other";
  }
  const found: Superblock[] = [];
  for (const [index, copy] of copies.entries()) {
    if (copy === null) continue;
    try {
      found.push(decodeSuperblock(copy, index * PAGE_LENGTH, size));
    } catch (error) {
      // One that is damaged loses to its copy; one that speaks of what is not known here does not.
      if (error instanceof MetadataError && error.code === "CEV_UNKNOWN_FEATURE") throw error;
      errors.push(error);
    }
  }
  const [first, second] = found;
  if (first === undefined) throw errors[0];
  if (second !== undefined && !copies[0]!.every((byte, at) => byte === copies[1]![at]))
    throw new MetadataError("the superblock and its copy differ", {
      structure: "compression superblock",
      byteOffset: PAGE_LENGTH,
    });
  return { superblock: first };
}

/** Makes a device a compressed one. What it held is gone. Throws `CEV_INVALID` for what does not fit together. */
export async function formatCompressed(
  lower: Layer,
  environment: Environment,
  options: FormatOptions = {},
): Promise<Superblock> {
  const superblock = planFormat(lower, environment, options);
  await writeFormat(lower, environment, superblock);
  return superblock;
}

/** Writes all that a compressed device begins with, the superblock last. */
export async function writeFormat(
  lower: Layer,
  environment: Environment,
  superblock: Superblock,
): Promise<void> {
  const { formatId, halfLength, mapOffset, mapLength } = superblock;
  // A superblock that is there already would speak of what is being overwritten.
  await writeBytes(lower, environment, 0, new Uint8Array(JOURNAL_OFFSET), true);
  const none = new Uint8Array(halfLength);
  for (const half of [0, 1]) await writeBytes(lower, environment, JOURNAL_OFFSET + half * halfLength, none);
  for (let at = 0; at < mapLength; at += MAP_STEP) {
    const bytes = new Uint8Array(Math.min(MAP_STEP, mapLength - at));
    for (let within = 0; within < bytes.length; within += SECTOR_LENGTH) {
      const index = (at + within) / SECTOR_LENGTH;
      bytes.set(encodeMapSector(index, formatId, { epoch: 0, entries: new Uint8Array(0) }), within);
    }
    await writeBytes(lower, environment, mapOffset + at, bytes);
  }
  await request(lower, environment, Op.flush, 0, 0);
  const bytes = encodeSuperblock(superblock);
  for (const at of [PAGE_LENGTH, 0]) await writeBytes(lower, environment, at, bytes, true);
}

/** Throws where the lower cannot carry the format safely. */
export function checkLower({ name, limits, support }: Layer): void {
  if (limits.logicalBlockSize > LOWER_BLOCK_MAX)
    throw new CevError(
      "CEV_INVALID",
      `${name} has blocks of ${limits.logicalBlockSize} bytes, of at most 4096`,
    );
  if (support.write === "none") throw new CevError("CEV_READ_ONLY", `${name} cannot be written`);
  if (support.flush === "none")
    throw new CevError("CEV_NOT_SUPPORTED", `${name} has no flush: a power cut could lose everything on it`);
}

/** How a device would be laid out. Writes nothing. Throws `CEV_INVALID` for what does not fit together. */
export function planFormat(lower: Layer, environment: Environment, options: FormatOptions): Superblock {
  const { chunkSize = CHUNK_SIZE, codec = hasZstd() ? "zstd" : "deflate", level = 1 } = options;
  const kind = codec === "zstd" ? Kind.zstd : Kind.deflate;
  const lowerSize = lower.limits.size;
  checkLower(lower);
  checkChunk(chunkSize, lower.limits.logicalBlockSize);
  requireCodec(kind);
  if (!Number.isInteger(level) || level < 1 || level > LEVEL_MAX)
    throw new CevError("CEV_INVALID", `levels go from 1 to ${LEVEL_MAX}`);
  const halfLength = options.journalLength === undefined ? usualHalf(lowerSize) : options.journalLength / 2;
  if (halfLength % PAGE_LENGTH !== 0 || halfLength < HALF_LENGTH_MIN || halfLength > HALF_LENGTH_MAX)
    throw new CevError("CEV_INVALID", `a journal has twice a multiple of ${PAGE_LENGTH} bytes`);
  const mapOffset = JOURNAL_OFFSET + 2 * halfLength;
  const mapFor = (chunkCount: number): { mapLength: number; dataOffset: number; binCount: number } => {
    const mapLength = mapLengthOf(chunkCount);
    const dataOffset = Math.ceil((mapOffset + mapLength) / chunkSize) * chunkSize;
    return { mapLength, dataOffset, binCount: Math.max(0, Math.floor((lowerSize - dataOffset) / chunkSize)) };
  };
  // A map for as many chunks as there could be leaves room for a few less.
  const most = mapFor(Math.ceil(lowerSize / chunkSize));
  const size = options.size ?? Math.max(0, most.binCount - slackOf(most.binCount)) * chunkSize;
  const { mapLength, dataOffset, binCount } = mapFor(size / chunkSize);
  if (size % chunkSize !== 0)
    throw new CevError(
      "CEV_INVALID",
      `a size of ${size} bytes is not a whole number of chunks of ${chunkSize}`,
    );
  const sizeMax = lowerSize * EXPANSION_MAX;
  if (size > sizeMax)
    throw new CevError("CEV_INVALID", `${size} bytes are too many to show on a device of ${lowerSize}`, {
      hint: `at most ${sizeMax} do`,
    });
  if (size <= 0 || binCount <= slackOf(binCount))
    throw new CevError("CEV_INVALID", `${lowerSize} bytes are too few for chunks of ${chunkSize} bytes`);
  const random = new Uint8Array(24);
  environment.random(random);
  const superblock: Superblock = {
    uuid: random.slice(0, 16),
    formatId: random.slice(16),
    size,
    chunkSize,
    halfLength,
    mapOffset,
    mapLength,
    dataOffset,
    binCount,
    codec: kind,
    level,
  };
  checkMapMemory(superblock, options.mapMemoryMax ?? Infinity);
  return superblock;
}

function usualHalf(lowerSize: number): number {
  const share = Math.floor(lowerSize / 64 / PAGE_LENGTH) * PAGE_LENGTH;
  return Math.min(HALF_LENGTH_USUAL, Math.max(HALF_LENGTH_LEAST, share));
}

/** Whether chunks of this size can be stored on a device with such blocks: a unit is at least one of them. */
export function checkChunk(chunkSize: number, blockSize: number): void {
  const isChunk =
    chunkSize >= CHUNK_SIZE_MIN && chunkSize <= CHUNK_SIZE_MAX && Number.isInteger(Math.log2(chunkSize));
  if (!isChunk || unitOf(chunkSize) < blockSize)
    throw new CevError("CEV_INVALID", `chunks of ${chunkSize} bytes do not go with blocks of ${blockSize}`, {
      hint: `chunks of ${Math.max(CHUNK_SIZE_MIN, blockSize * 8)} bytes do`,
    });
}
