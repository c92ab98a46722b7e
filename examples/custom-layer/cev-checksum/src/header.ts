import { crc32 } from "node:zlib";
import { MetadataError, assert } from "@cev/core";

/** What stands at the beginning of a device with checksums. */
export interface Header {
  /** Bytes that one checksum is for: a power of two from 512 to 65,536. */
  readonly blockSize: number;
  /** How many blocks have one. */
  readonly blockCount: number;
  /** Where the first block lies. Bytes. */
  readonly dataOffset: number;
}

export const HEADER_LENGTH = 512;
export const BLOCK_SIZE_MIN = 512;
export const BLOCK_SIZE_MAX = 65_536;

const MAGIC = "cevcksum";
const VERSION = 1;
const CRC_AT = 32;
const ALIGNMENT = 4096;

/** How many pairs of sums one block of them has: 8 bytes each, behind 8 bytes of its own. */
export const pairsPerBlock = (blockSize: number): number => blockSize / 8 - 1;

/** How many blocks the sums take. They begin with the second block of the device. */
export const sumBlockCount = ({ blockSize, blockCount }: Header): number =>
  Math.ceil(blockCount / pairsPerBlock(blockSize));

/** How a device of `size` bytes is laid out. Null: it is too small. */
export function planHeader(size: number, blockSize: number): Header | null {
  const alignment = Math.max(ALIGNMENT, blockSize);
  const slack = alignment / blockSize;
  const pairs = pairsPerBlock(blockSize);
  const blockCount = Math.floor(((Math.floor(size / blockSize) - 1 - slack) * pairs) / (pairs + 1));
  if (blockCount <= 0) return null;
  const end = blockSize * (1 + Math.ceil(blockCount / pairs));
  return { blockSize, blockCount, dataOffset: Math.ceil(end / alignment) * alignment };
}

export function encodeHeader({ blockSize, blockCount, dataOffset }: Header): Uint8Array {
  assert(blockCount > 0 && Number.isSafeInteger(dataOffset), "a header that was planned");
  const bytes = new Uint8Array(HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  new TextEncoder().encodeInto(MAGIC, bytes);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, blockSize, true);
  view.setBigUint64(16, BigInt(blockCount), true);
  view.setBigUint64(24, BigInt(dataOffset), true);
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** Null: it is something else. Throws a `MetadataError` for a header that is damaged, or that does not fit the device. */
export function decodeHeader(bytes: Uint8Array, deviceSize: number): Header | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_LENGTH);
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 8)) !== MAGIC) return null;
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT)))
    throw damaged("crc", CRC_AT, "its checksum is wrong");
  const version = view.getUint32(8, true);
  if (version !== VERSION)
    throw new MetadataError(
      `version ${version} is not known here`,
      { structure: "checksum header", field: "version", byteOffset: 8 },
      "CEV_UNKNOWN_FEATURE",
    );
  const blockSize = view.getUint32(12, true);
  const isBlockSize = blockSize >= BLOCK_SIZE_MIN && blockSize <= BLOCK_SIZE_MAX;
  if (!isBlockSize || !Number.isInteger(Math.log2(blockSize)))
    throw damaged("blockSize", 12, `blocks of ${blockSize} bytes`);
  const header = {
    blockSize,
    blockCount: Number(view.getBigUint64(16, true)),
    dataOffset: Number(view.getBigUint64(24, true)),
  };
  const { blockCount, dataOffset } = header;
  if (blockCount === 0 || blockCount > deviceSize / blockSize)
    throw damaged("blockCount", 16, `${blockCount} blocks of ${blockSize} do not fit ${deviceSize} bytes`);
  const sumsEnd = blockSize * (1 + sumBlockCount(header));
  const isPlace = dataOffset >= sumsEnd && dataOffset % blockSize === 0;
  if (!isPlace || dataOffset + blockCount * blockSize > deviceSize)
    throw damaged("dataOffset", 24, `data at ${dataOffset}, behind sums up to ${sumsEnd}`);
  return header;
}

function damaged(field: string, byteOffset: number, what: string): MetadataError {
  return new MetadataError(`the header cannot be right: ${what}`, {
    structure: "checksum header",
    field,
    byteOffset,
  });
}
