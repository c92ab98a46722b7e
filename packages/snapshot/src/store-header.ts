import { MetadataError, assert } from "@cev/core";

/** Bytes of the header that mean anything; the rest of its chunk is zero. */
const HEADER_LENGTH = 16;
/** "SnAp". */
const MAGIC = 0x7041_6e53;
const VERSION = 1;
const SECTOR = 512;
/** What has to be zero for a store to count as new: LVM2 clears so much. */
export const BLANK_LENGTH = 4096;

/** The header of a store. */
export interface StoreHeader {
  /** False: the snapshot overflowed or its store failed; there is no way back. */
  readonly isValid: boolean;
  /** Bytes. */
  readonly chunkSize: number;
}

/** What a header is checked against. All in bytes. */
export interface HeaderBounds {
  /** For errors: what the user calls the store. */
  readonly source: string;
  /** Of origin and store, the larger one. */
  readonly logicalBlockSize: number;
  readonly chunkSizeMax: number;
}

/** The header as bytes: one sector. */
export function encodeHeader({ isValid, chunkSize }: StoreHeader): Uint8Array {
  assert(
    chunkSize % SECTOR === 0 && chunkSize / SECTOR < 2 ** 32,
    "a chunk is a number of sectors of 32 bits",
  );
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, isValid ? 1 : 0, true);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, chunkSize / SECTOR, true);
  return bytes;
}

/**
 * The header that a store begins with; null: the store is blank. `bytes`: its first 4096 bytes, or all of it. Throws
 * `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE`.
 */
export function decodeHeader(bytes: Uint8Array, bounds: HeaderBounds): StoreHeader | null {
  if (bytes.length < HEADER_LENGTH)
    throw fault(bounds, "magic", 0, `the store has ${bytes.length} bytes, too few for a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0, true);
  if (magic === 0) {
    const at = bytes.findIndex((byte) => byte !== 0);
    if (at < 0) return null;
    throw fault(
      bounds,
      "magic",
      at,
      "the store is neither blank nor does it begin with a header",
      "to make a new snapshot, clear its first 4096 bytes",
    );
  }
  if (magic !== MAGIC)
    throw fault(
      bounds,
      "magic",
      0,
      `the store begins with 0x${magic.toString(16).padStart(8, "0")}, not with "SnAp"`,
      "to make a new snapshot, clear its first 4096 bytes",
    );
  const version = view.getUint32(8, true);
  if (version !== VERSION)
    throw fault(bounds, "version", 8, `version ${version} of the format is not known`, undefined, true);
  const valid = view.getUint32(4, true);
  if (valid > 1) throw fault(bounds, "valid", 4, `is ${valid}, neither 0 nor 1`);
  return { isValid: valid === 1, chunkSize: decodeChunkSize(view.getUint32(12, true), bounds) };
}

function decodeChunkSize(sectors: number, bounds: HeaderBounds): number {
  const chunkSize = sectors * SECTOR;
  const reason = chunkSizeIssue(chunkSize, bounds);
  if (reason === null) return chunkSize;
  throw fault(bounds, "chunk_size", 12, `a chunk of ${sectors} sectors ${reason}`);
}

/** What is wrong with a chunk size, in bytes; null: nothing. */
export function chunkSizeIssue(
  chunkSize: number,
  { logicalBlockSize, chunkSizeMax }: Omit<HeaderBounds, "source">,
): string | null {
  if (!Number.isSafeInteger(chunkSize) || chunkSize <= 0 || !Number.isInteger(Math.log2(chunkSize)))
    return "is not a power of two";
  if (chunkSize < Math.max(SECTOR, logicalBlockSize))
    return `is smaller than a block of ${Math.max(SECTOR, logicalBlockSize)} bytes`;
  if (chunkSize > chunkSizeMax) return `is larger than ${chunkSizeMax} bytes, the most that is taken here`;
  return null;
}

function fault(
  { source }: HeaderBounds,
  field: string,
  byteOffset: number,
  message: string,
  hint?: string,
  isUnknown = false,
): MetadataError {
  return new MetadataError(
    message,
    {
      source,
      structure: "snapshot store header",
      field,
      byteOffset,
      ...(hint === undefined ? {} : { hint }),
    },
    isUnknown ? "CEV_UNKNOWN_FEATURE" : "CEV_BAD_METADATA",
  );
}
