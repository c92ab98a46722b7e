import { MetadataError, assert } from "@cev/core";
import { SECTOR, badField, bytesOf, getOffset, textOf } from "./bytes.ts";
import type { StructurePlace } from "./bytes.ts";
import { lvmCrc } from "./crc.ts";

/** The header of a metadata area fills one sector; the ring of texts begins right behind it. */
export const MDA_HEADER_LENGTH: number = SECTOR;

/** More text than any group has: what claims more is refused before it is read. */
export const TEXT_LENGTH_MAX: number = 64 * 1024 * 1024;

const MAGIC = " LVM2 x[5A%r0N*>";
const VERSION = 1;
const AT = { checksum: 0, magic: 4, version: 20, start: 24, size: 32, locations: 40 } as const;
const LOCATION_LENGTH = 24;
const AT_FLAGS = 20;
/** Flag of a text's location: its area is not in use. */
export const AREA_IGNORED = 1;

/** Where a text lies in the ring of its area. Offsets count from the start of the area. */
export interface TextLocation {
  readonly offset: number;
  /** Bytes, with the NUL at the end. */
  readonly size: number;
  readonly checksum: number;
  /** Bit 0: the area is not in use, and its text is out of date. */
  readonly flags: number;
}

/** The header of one metadata area. */
export interface MdaHeader {
  /** Byte offset of the area on the device. */
  readonly start: number;
  /** Bytes of the area, its header included. */
  readonly size: number;
  /** The text in force; null: none was ever written, or the group was removed. */
  readonly committed: TextLocation | null;
  /** A text that is being written; it counts only once it has become the committed one. */
  readonly precommitted: TextLocation | null;
  /** Without a committed text: the flags in its place; bit 0: the area is not in use. Absent: 0. */
  readonly flags?: number;
}

/** A run of bytes on the device. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** True where the area is marked as not in use: its text is not kept up to date. */
export function isIgnored(header: MdaHeader): boolean {
  return ((header.committed?.flags ?? header.flags ?? 0) & AREA_IGNORED) !== 0;
}

/** Decodes the header of an area that the label puts at `place.byteOffset`. Throws `CEV_BAD_METADATA`. */
export function decodeMdaHeader(bytes: Uint8Array, place: StructurePlace): MdaHeader {
  assert(bytes.length === SECTOR, "the header of a metadata area is one sector");
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  if (textOf(bytes.subarray(AT.magic, AT.magic + MAGIC.length)) !== MAGIC)
    throw badField(place, "magic", AT.magic, "this is not the header of a metadata area");
  if (view.getUint32(AT.checksum, true) !== lvmCrc(bytes.subarray(AT.magic)))
    throw badField(place, "checksum", AT.checksum, "the checksum is wrong");
  const version = view.getUint32(AT.version, true);
  if (version !== VERSION)
    throw new MetadataError(
      `version ${version} of the metadata area is not known`,
      { ...place, field: "version", byteOffset: place.byteOffset + AT.version },
      "CEV_UNKNOWN_FEATURE",
    );
  const start = getOffset(view, AT.start);
  if (start !== place.byteOffset)
    throw badField(place, "start", AT.start, "the area says it begins somewhere else");
  const size = getOffset(view, AT.size);
  if (size < 2 * SECTOR) throw badField(place, "size", AT.size, "the area has no room for a text");
  const header = { start, size };
  const committed = decodeLocation(view, 0, header, place);
  const flags = committed === null ? view.getUint32(AT.locations + AT_FLAGS, true) : 0;
  return {
    ...header,
    committed,
    precommitted: decodeLocation(view, 1, header, place),
    ...(flags === 0 ? {} : { flags }),
  };
}

function decodeLocation(
  view: DataView,
  index: number,
  area: { readonly size: number },
  place: StructurePlace,
): TextLocation | null {
  const at = AT.locations + index * LOCATION_LENGTH;
  const offset = getOffset(view, at);
  // Offset 0 is that of the header itself: no text.
  if (offset === 0) return null;
  const field = `raw_locn[${index}]`;
  const size = getOffset(view, at + 8);
  if (offset < MDA_HEADER_LENGTH || offset >= area.size)
    throw badField(place, `${field}.offset`, at, "the text begins outside the area");
  if (size <= 0 || size > area.size - MDA_HEADER_LENGTH || size > TEXT_LENGTH_MAX)
    throw badField(place, `${field}.size`, at + 8, "the text is empty or larger than the area");
  return {
    offset,
    size,
    checksum: view.getUint32(at + 16, true),
    flags: view.getUint32(at + AT_FLAGS, true),
  };
}

/** The sector of a metadata area's header. */
export function encodeMdaHeader(header: MdaHeader): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set(bytesOf(MAGIC), AT.magic);
  view.setUint32(AT.version, VERSION, true);
  view.setBigUint64(AT.start, BigInt(header.start), true);
  view.setBigUint64(AT.size, BigInt(header.size), true);
  assert(header.size >= 2 * SECTOR, "an area has room for a text");
  [header.committed, header.precommitted].forEach((location, index) => {
    if (location === null) return;
    const at = AT.locations + index * LOCATION_LENGTH;
    view.setBigUint64(at, BigInt(location.offset), true);
    view.setBigUint64(at + 8, BigInt(location.size), true);
    view.setUint32(at + 16, location.checksum, true);
    view.setUint32(at + AT_FLAGS, location.flags, true);
  });
  if (header.committed === null) view.setUint32(AT.locations + AT_FLAGS, header.flags ?? 0, true);
  view.setUint32(AT.checksum, lvmCrc(bytes.subarray(AT.magic)), true);
  return bytes;
}

/** Where a text lies on the device: in one run, or in two where it passes the end of the ring. */
export function textRanges(
  area: { readonly start: number; readonly size: number },
  text: TextLocation,
): ByteRange[] {
  const first = Math.min(text.size, area.size - text.offset);
  const ranges = [{ offset: area.start + text.offset, length: first }];
  if (first < text.size) ranges.push({ offset: area.start + MDA_HEADER_LENGTH, length: text.size - first });
  return ranges;
}

/** The byte offset on the device of one byte of a text. */
export function textByteOffset(ranges: readonly ByteRange[], at: number): number {
  let rest = at;
  for (const range of ranges) {
    if (rest < range.length) return range.offset + rest;
    rest -= range.length;
  }
  const last = ranges.at(-1)!;
  return last.offset + last.length;
}
