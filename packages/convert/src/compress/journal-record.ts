import { crc32 } from "./crc32.ts";
import { assert } from "@cev/core";
import { ENTRY_LENGTH, decodeEntry, encodeEntry } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { PAGE_LENGTH, getSize, setSize } from "./superblock.ts";

/** Changes that fit into one record. */
export const RECORD_CHANGES = 168;

const MAGIC = 0x6a_76_65_63;
const HEAD_LENGTH = 48;
const CHANGE_LENGTH = 8 + ENTRY_LENGTH;

/** A chunk is stored elsewhere from now on. */
export interface Change {
  readonly chunk: number;
  readonly entry: Entry;
}

/** What a record says of itself. */
export interface RecordHead {
  readonly epoch: number;
  /** Its position in the epoch's half of the journal. */
  readonly sequence: number;
  /** The highest sequence of its epoch that was durable when it was written; -1: none. */
  readonly durableThrough: number;
  readonly changeCount: number;
}

/** A record of the journal: 4096 bytes. */
export interface JournalRecord extends Omit<RecordHead, "changeCount"> {
  readonly changes: readonly Change[];
}

/** Which half of the journal an epoch lives in. */
export const halfOf = (epoch: number): number => epoch % 2;

/** The bytes of a record. */
export function encodeRecord(formatId: Uint8Array, record: JournalRecord): Uint8Array {
  const { epoch, sequence, durableThrough, changes } = record;
  assert(changes.length > 0 && changes.length <= RECORD_CHANGES, "a record holds 1 to 168 changes");
  const bytes = new Uint8Array(PAGE_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  bytes.set(formatId, 8);
  setSize(view, 16, epoch);
  view.setUint32(24, sequence, true);
  view.setUint32(28, changes.length, true);
  view.setInt32(32, durableThrough, true);
  changes.forEach(({ chunk, entry }, index) => {
    const at = HEAD_LENGTH + index * CHANGE_LENGTH;
    setSize(view, at, chunk);
    encodeEntry(view, at + 8, entry);
  });
  view.setUint32(4, checksumOf(halfOf(epoch), sequence, bytes), true);
  return bytes;
}

/**
 * Takes the record at a position of a half of the journal apart; null: there is none (nothing was written there, it is of another
 * format, or torn). Its changes are still to be checked.
 */
export function decodeRecord(
  formatId: Uint8Array,
  half: number,
  position: number,
  bytes: Uint8Array,
): JournalRecord | null {
  const head = decodeHead(formatId, half, position, bytes);
  if (head === null) return null;
  const { epoch, sequence, durableThrough, changeCount } = head;
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_LENGTH);
  const changes = Array.from({ length: changeCount }, (_, index) => {
    const at = HEAD_LENGTH + index * CHANGE_LENGTH;
    return { chunk: getSize(view, at), entry: decodeEntry(view, at + 8) };
  });
  return { epoch, sequence, durableThrough, changes };
}

/** The same without its changes. */
export function decodeHead(
  formatId: Uint8Array,
  half: number,
  position: number,
  bytes: Uint8Array,
): RecordHead | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_LENGTH);
  if (view.getUint32(0, true) !== MAGIC) return null;
  if (view.getUint32(4, true) !== checksumOf(half, position, bytes)) return null;
  if (!formatId.every((byte, at) => bytes[8 + at] === byte)) return null;
  const epoch = getSize(view, 16);
  const sequence = view.getUint32(24, true);
  const changeCount = view.getUint32(28, true);
  const durableThrough = view.getInt32(32, true);
  if (!(epoch > 0) || halfOf(epoch) !== half || sequence !== position) return null;
  if (changeCount === 0 || changeCount > RECORD_CHANGES) return null;
  if (durableThrough < -1 || durableThrough >= sequence) return null;
  return { epoch, sequence, durableThrough, changeCount };
}

/** The place belongs to it: a record that was written elsewhere does not count. */
function checksumOf(half: number, position: number, bytes: Uint8Array): number {
  const place = new Uint8Array(8);
  const view = new DataView(place.buffer);
  view.setUint32(0, half, true);
  view.setUint32(4, position, true);
  return crc32(bytes.subarray(8, PAGE_LENGTH), crc32(place));
}
