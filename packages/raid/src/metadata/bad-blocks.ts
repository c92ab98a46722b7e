import { MetadataError, assert } from "@cev/core";

const SECTOR = 512;
const ENTRY_LENGTH = 8;
const LENGTH_BITS = 10n;
const LENGTH_MASK = 0x3ffn;
const END = 0xffff_ffff_ffff_ffffn;
// The kernel keeps a length in 9 bits, one less than it is.
const BLOCKS_MAX = 512;
const STRUCTURE = "md bad-block log";

/** A range of a member's data that cannot be read, in bytes from the data's begin. */
export interface BadRange {
  readonly start: number;
  readonly end: number;
}

/** How a log lies to its device. Places and lengths in bytes. */
export interface BadBlockLogShape {
  /** A block has 512 bytes shifted by this. */
  readonly shift: number;
  /** Where the member's data begins: the log counts from the device's begin. */
  readonly dataStart: number;
  /** What the member has for data. */
  readonly dataLength: number;
}

/** Where a log was read. */
export interface BadBlockLogPlace extends BadBlockLogShape {
  readonly source: string;
  readonly byteOffset: number;
  readonly deviceSize: number;
}

/**
 * Decodes a log of bad blocks: its ranges in rising order, those outside the data left out. Throws a `MetadataError`
 * for entries that are empty, overlap, are out of order, or pass the end of the device.
 */
export function decodeBadBlocks(bytes: Uint8Array, place: BadBlockLogPlace): BadRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ranges: BadRange[] = [];
  const unit = BigInt(SECTOR) << BigInt(place.shift);
  let previousEnd = 0n;
  // A log that is full has no end mark.
  for (let at = 0; at + ENTRY_LENGTH <= bytes.length; at += ENTRY_LENGTH) {
    const entry = view.getBigUint64(at, true);
    if (entry === END) break;
    const start = (entry >> LENGTH_BITS) * unit;
    const end = start + (entry & LENGTH_MASK) * unit;
    const index = at / ENTRY_LENGTH;
    if (end === start) throw logError(place, at, `entry ${index} has no length`);
    if (end > BigInt(place.deviceSize))
      throw logError(place, at, `entry ${index} ends at byte ${end} of a device of ${place.deviceSize}`);
    if (start < previousEnd)
      throw logError(place, at, `entry ${index} overlaps the one before it, or is out of order`);
    previousEnd = end;
    addRange(ranges, Number(start) - place.dataStart, Number(end) - place.dataStart, place.dataLength);
  }
  return ranges;
}

/**
 * The bytes of a log with these ranges (in rising order, apart), `length` bytes long; blocks that are bad in part
 * count as bad. Null where the log has no room for them.
 */
export function encodeBadBlocks(
  ranges: readonly BadRange[],
  { shift, dataStart }: BadBlockLogShape,
  length: number,
): Uint8Array | null {
  const bytes = new Uint8Array(length).fill(0xff);
  const view = new DataView(bytes.buffer);
  const unit = SECTOR * 2 ** shift;
  let at = 0;
  let previousEnd = 0;
  for (const range of ranges) {
    assert(range.start >= 0 && range.start < range.end, "a range has a length and lies in the data");
    const end = Math.ceil((dataStart + range.end) / unit);
    let block = Math.max(previousEnd, Math.floor((dataStart + range.start) / unit));
    while (block < end) {
      if (at + ENTRY_LENGTH > length) return null;
      const count = Math.min(BLOCKS_MAX, end - block);
      view.setBigUint64(at, (BigInt(block) << LENGTH_BITS) | BigInt(count), true);
      at += ENTRY_LENGTH;
      block += count;
    }
    previousEnd = Math.max(previousEnd, end);
  }
  return bytes;
}

/** Adds what of a range lies in the data; ranges that touch become one. */
function addRange(ranges: BadRange[], from: number, to: number, dataLength: number): void {
  const start = Math.max(0, from);
  const end = Math.min(dataLength, to);
  if (start >= end) return;
  const last = ranges.at(-1);
  if (last?.end === start) ranges[ranges.length - 1] = { start: last.start, end };
  else ranges.push({ start, end });
}

function logError(place: BadBlockLogPlace, at: number, message: string): MetadataError {
  const { source, byteOffset } = place;
  return new MetadataError(message, {
    source,
    structure: STRUCTURE,
    field: "entries",
    byteOffset: byteOffset + at,
  });
}
