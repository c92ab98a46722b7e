import { MetadataError, assert } from "@cev/core";

/** What an entry of a log is, as bits: layout of Linux's dm-log-writes. */
export const LogFlag = { flush: 1, fua: 2, discard: 4, mark: 8, metadata: 16 } as const;

/** The super block of a log. */
export interface LogSuper {
  readonly entryCount: number;
  /** Bytes: the unit of the log's own blocks and of all offsets in it. A power of two from 512 on. */
  readonly sectorSize: number;
}

/** The head of an entry; the data of a write follows it. */
export interface LogEntry {
  /** Where on the device that was recorded. Bytes. */
  readonly offset: number;
  readonly length: number;
  /** `LogFlag`s, or-ed. */
  readonly flags: number;
  /** The text of a mark; empty otherwise. */
  readonly mark: string;
}

const MAGIC = 0x6a73_6677_7368_72n;
const VERSION = 1n;
/** Bytes of the head of an entry; a mark's text follows. */
const HEAD_LENGTH = 32;
const KNOWN_FLAGS = 31;
const SECTOR_SIZE_MAX = 65_536;

/** One block of `sectorSize`. */
export function encodeLogSuper({ entryCount, sectorSize }: LogSuper): Uint8Array {
  assert(isSectorSize(sectorSize), "sectors are a power of two from 512 to 65,536");
  const bytes = new Uint8Array(sectorSize);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, MAGIC, true);
  view.setBigUint64(8, VERSION, true);
  view.setBigUint64(16, BigInt(entryCount), true);
  view.setUint32(24, sectorSize, true);
  return bytes;
}

/** From the first 28 bytes of a log. Throws `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE`. `source`: the log, for people. */
export function decodeLogSuper(bytes: Uint8Array, source: string): LogSuper {
  const bad = (field: string, byteOffset: number, message: string): never =>
    failBad(source, "dm-log-writes super block", field, byteOffset, message);
  if (bytes.length < 28) bad("magic", 0, `the log has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getBigUint64(0, true) !== MAGIC) bad("magic", 0, "this is no log of dm-log-writes");
  const version = view.getBigUint64(8, true);
  if (version !== VERSION) bad("version", 8, `version ${version} of the format is not known; 1 is`);
  const entryCount = view.getBigUint64(16, true);
  // An entry takes at least one sector: more there cannot be in any device.
  if (entryCount > MAX_SAFE / 512n)
    bad("nr_entries", 16, `${entryCount} entries are more than any device holds`);
  const sectorSize = view.getUint32(24, true);
  if (!isSectorSize(sectorSize))
    bad("sectorsize", 24, `${sectorSize} is no power of two from 512 to ${SECTOR_SIZE_MAX}`);
  return { entryCount: Number(entryCount), sectorSize };
}

/** The head of an entry: one block of `sectorSize`. A mark that is too long is cut. */
export function encodeLogEntry(entry: LogEntry, sectorSize: number): Uint8Array {
  assert(entry.offset % sectorSize === 0 && entry.length % sectorSize === 0, "entries are whole sectors");
  const bytes = new Uint8Array(sectorSize);
  const view = new DataView(bytes.buffer);
  const text = encodeMark(entry.mark, sectorSize - HEAD_LENGTH - 1);
  view.setBigUint64(0, BigInt(entry.offset / sectorSize), true);
  view.setBigUint64(8, BigInt(entry.length / sectorSize), true);
  view.setBigUint64(16, BigInt(entry.flags), true);
  view.setBigUint64(24, BigInt(text.length), true);
  bytes.set(text, HEAD_LENGTH);
  return bytes;
}

/**
 * From one block of `sectorSize`, which lies at `at` in the log. Throws `CEV_BAD_METADATA` or, for flags that are not known,
 * `CEV_UNKNOWN_FEATURE`.
 */
export function decodeLogEntry(
  bytes: Uint8Array,
  { sectorSize }: LogSuper,
  source: string,
  at: number,
): LogEntry {
  const bad = (field: string, byteOffset: number, message: string): never =>
    failBad(source, "dm-log-writes entry", field, at + byteOffset, message);
  if (bytes.length < sectorSize) bad("sector", 0, "the entry passes the end of the log");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sector = view.getBigUint64(0, true);
  const sectorCount = view.getBigUint64(8, true);
  const flags = view.getBigUint64(16, true);
  const dataLength = view.getBigUint64(24, true);
  const unit = BigInt(sectorSize);
  if ((flags & ~BigInt(KNOWN_FLAGS)) !== 0n)
    throw new MetadataError(
      `entry flags ${flags} are not known`,
      { source, structure: "dm-log-writes entry", field: "flags", byteOffset: at + 16 },
      "CEV_UNKNOWN_FEATURE",
    );
  if (sector > MAX_SAFE / unit || sectorCount > MAX_SAFE / unit || (sector + sectorCount) * unit > MAX_SAFE)
    bad("sector", 0, `${sectorCount} sectors from ${sector} on pass the end of any device`);
  const isMark = (flags & BigInt(LogFlag.mark)) !== 0n;
  if (!isMark && sectorCount === 0n && (flags & BigInt(LogFlag.flush)) === 0n)
    bad("nr_sectors", 8, "the entry is no flush and no mark, and has no sectors");
  if (isMark && sectorCount !== 0n) bad("nr_sectors", 8, `a mark has no data, not ${sectorCount} sectors`);
  if (dataLength > BigInt(isMark ? sectorSize - HEAD_LENGTH : 0))
    bad("data_len", 24, `${dataLength} bytes of text do not fit into the entry`);
  const text = bytes.subarray(HEAD_LENGTH, HEAD_LENGTH + Number(dataLength));
  return {
    offset: Number(sector) * sectorSize,
    length: Number(sectorCount) * sectorSize,
    flags: Number(flags),
    mark: decodeMark(text),
  };
}

/** How many bytes of data follow the head of an entry. */
export function dataLengthOf({ flags, length }: LogEntry): number {
  return (flags & LogFlag.discard) === 0 ? length : 0;
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

function isSectorSize(value: number): boolean {
  return value >= 512 && value <= SECTOR_SIZE_MAX && (value & (value - 1)) === 0;
}

/** Marks are bytes to the format; here each is a character below 256, so that any of them comes back as it was. */
function encodeMark(mark: string, lengthMax: number): Uint8Array {
  return Uint8Array.from(mark.slice(0, lengthMax), (character) => character.codePointAt(0)! & 0xff);
}

function decodeMark(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCodePoint(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

function failBad(
  source: string,
  structure: string,
  field: string,
  byteOffset: number,
  message: string,
): never {
  throw new MetadataError(message, { source, structure, field, byteOffset });
}
