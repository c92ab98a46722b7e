import { MetadataError } from "@cev/core";
import type { ErrorPlace } from "@cev/core";

/** Bytes of a disk sector, the unit in which labels and areas are laid out. */
export const SECTOR = 512;

/** Where a structure lies: for the errors its decoder makes. */
export interface StructurePlace {
  /** The device as the user called it. */
  readonly source: string;
  /** Such as "LVM2 label in sector 1". */
  readonly structure: string;
  /** Byte offset of the structure on the device. */
  readonly byteOffset: number;
}

/** A `CEV_BAD_METADATA` about one field; `at`: the field's offset within the structure. */
export function badField(place: StructurePlace, field: string, at: number, message: string): MetadataError {
  const where: ErrorPlace & { readonly structure: string } = {
    source: place.source,
    structure: place.structure,
    field,
    byteOffset: place.byteOffset + at,
  };
  return new MetadataError(message, where);
}

/** A little-endian 64-bit number, or -1 when it is past 2^53 - 1: no valid offset or size is. */
export function getOffset(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(value);
}

/** One character per byte, so that offsets in the text are offsets in the bytes, and nothing is lost on the way back. */
export function textOf(bytes: Uint8Array): string {
  // Decoders of one-byte encodings change some bytes from 0x80 on; below, all of them agree.
  if (isAscii(bytes)) return new TextDecoder().decode(bytes);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join("");
}

// Texts are megabytes long, and there is one in each of a hundred areas: they are looked at by four words at a time.
const WORDS = 4;

function isAscii(bytes: Uint8Array): boolean {
  const wordCount = bytes.byteOffset % 4 === 0 ? bytes.length >>> 2 : 0;
  const words = new Int32Array(bytes.buffer, wordCount > 0 ? bytes.byteOffset : 0, wordCount);
  let seen = 0;
  for (let index = 0; index < wordCount; index++) seen |= words[index]!;
  if ((seen & 0x80808080) !== 0) return false;
  for (let at = wordCount * 4; at < bytes.length; at++) if (bytes[at]! >= 0x80) return false;
  return true;
}

/** True for arrays of the same bytes. */
export function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let at = 0;
  if (left.byteOffset % 4 === 0 && right.byteOffset % 4 === 0) {
    const wordCount = (left.length >>> 2) - ((left.length >>> 2) % WORDS);
    const lefts = new Int32Array(left.buffer, left.byteOffset, wordCount);
    const rights = new Int32Array(right.buffer, right.byteOffset, wordCount);
    let difference = 0;
    for (let index = 0; index < wordCount; index += WORDS)
      difference |=
        (lefts[index]! ^ rights[index]!) |
        (lefts[index + 1]! ^ rights[index + 1]!) |
        (lefts[index + 2]! ^ rights[index + 2]!) |
        (lefts[index + 3]! ^ rights[index + 3]!);
    if (difference !== 0) return false;
    at = wordCount * 4;
  }
  for (; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}

/** The reverse of `textOf`. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/**
 * A text from people as `bytesOf` and the texts of groups want it: UTF-8, one character per byte. Of a text that came from a
 * disk, and is that already, only what cannot come from there changes.
 */
export function diskTextOf(text: string, isFromPeople: boolean): string {
  const foreign = isFromPeople ? /[\u0080-\uffff]+/g : /[\u0100-\uffff]+/g;
  return text.replaceAll(foreign, (part) => String.fromCharCode(...new TextEncoder().encode(part)));
}
