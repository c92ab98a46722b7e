import { crc32 } from "./crc32.ts";
import { ENTRY_LENGTH } from "./entry.ts";
import { SECTOR_ENTRIES, SECTOR_LENGTH, getSize, setSize } from "./superblock.ts";

const HEAD_LENGTH = 16;

/** A sector of the map. */
export interface MapSector {
  /** The newest epoch of the journal of which it holds everything. */
  readonly epoch: number;
  /** Its entries as they lie on disk. */
  readonly entries: Uint8Array;
}

/** The bytes of sector `index`. `entries`: at most 31, as on disk; the rest are holes. */
export function encodeMapSector(
  index: number,
  formatId: Uint8Array,
  { epoch, entries }: MapSector,
): Uint8Array {
  const bytes = new Uint8Array(SECTOR_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(formatId.subarray(0, 4), 4);
  setSize(view, 8, epoch);
  bytes.set(entries, HEAD_LENGTH);
  view.setUint32(0, checksumOf(index, bytes), true);
  return bytes;
}

/** Takes a sector apart; null: it is none of this format, or damaged. Its entries are still to be checked. */
export function decodeMapSector(index: number, formatId: Uint8Array, bytes: Uint8Array): MapSector | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR_LENGTH);
  if (view.getUint32(0, true) !== checksumOf(index, bytes)) return null;
  if (!formatId.subarray(0, 4).every((byte, at) => bytes[4 + at] === byte)) return null;
  const epoch = getSize(view, 8);
  if (Number.isNaN(epoch)) return null;
  return { epoch, entries: bytes.subarray(HEAD_LENGTH, HEAD_LENGTH + SECTOR_ENTRIES * ENTRY_LENGTH) };
}

/** The place belongs to it: a sector that was written elsewhere does not count. */
function checksumOf(index: number, bytes: Uint8Array): number {
  const place = new Uint8Array(8);
  setSize(new DataView(place.buffer), 0, index);
  return crc32(bytes.subarray(4, SECTOR_LENGTH), crc32(place));
}
