import { SECTOR } from "./bytes.ts";
import { MDA_HEADER_LENGTH, isIgnored, textRanges } from "./mda.ts";
import type { ByteRange, MdaHeader } from "./mda.ts";

/**
 * The longest text an area takes, in bytes with the NUL at its end: two must fit beside each other, each begun on a sector.
 * The rule is LVM2's own, so that it can go on where cev stopped.
 */
export function textSizeMax(area: { readonly size: number }): number {
  return Math.floor((area.size - MDA_HEADER_LENGTH) / 2) - SECTOR;
}

/**
 * Where in the area the next text begins: on the sector behind the committed one, which stays whole, or at the start of the
 * ring where less than a sector would be left before its end.
 */
export function nextTextOffset(header: MdaHeader): number {
  const { committed, size } = header;
  if (committed === null || isIgnored(header)) return MDA_HEADER_LENGTH;
  const end = committed.offset + committed.size;
  const wrapped = end > size ? end - size + MDA_HEADER_LENGTH : end;
  const start = Math.ceil(wrapped / SECTOR) * SECTOR;
  return start > size - SECTOR ? MDA_HEADER_LENGTH : start;
}

/** True where a text at `offset` would touch the committed one. */
export function overlapsCommitted(header: MdaHeader, text: { offset: number; size: number }): boolean {
  if (header.committed === null || isIgnored(header)) return false;
  const old = textRanges(header, header.committed);
  const place = { ...text, checksum: 0, flags: 0 };
  return textRanges(header, place).some((range) => old.some((one) => touches(range, one)));
}

function touches(left: ByteRange, right: ByteRange): boolean {
  return left.offset < right.offset + right.length && right.offset < left.offset + left.length;
}

/**
 * What is written for a text: its bytes where they lie, the last run filled with zeroes to the end of its sector, unless the
 * committed text begins before that.
 */
export function textWrites(
  header: MdaHeader,
  offset: number,
  bytes: Uint8Array,
): { readonly offset: number; readonly bytes: Uint8Array }[] {
  const place = { offset, size: bytes.length, checksum: 0, flags: 0 };
  const ranges = textRanges(header, place);
  let at = 0;
  return ranges.map((range, index) => {
    const part = bytes.subarray(at, at + range.length);
    at += range.length;
    if (index < ranges.length - 1) return { offset: range.offset, bytes: part };
    const padding = paddingBehind(header, range);
    if (padding === 0) return { offset: range.offset, bytes: part };
    const padded = new Uint8Array(part.length + padding);
    padded.set(part);
    return { offset: range.offset, bytes: padded };
  });
}

function paddingBehind(header: MdaHeader, range: ByteRange): number {
  const end = range.offset + range.length;
  const padding = Math.min((SECTOR - (end % SECTOR)) % SECTOR, header.start + header.size - end);
  const old = header.committed === null || isIgnored(header) ? [] : textRanges(header, header.committed);
  return old.some((one) => touches({ offset: end, length: padding }, one)) ? 0 : padding;
}
