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
  if (bytes.every((value) => value < 0x80)) return new TextDecoder().decode(bytes);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join("");
}

/** True for arrays of the same bytes. */
export function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let at = 0;
  // Word by word where that is possible: texts are megabytes long, and there is one in each of a hundred areas.
  if (left.byteOffset % 4 === 0 && right.byteOffset % 4 === 0) {
    const wordCount = left.length >>> 2;
    const leftWords = new Int32Array(left.buffer, left.byteOffset, wordCount);
    const rightWords = new Int32Array(right.buffer, right.byteOffset, wordCount);
    for (let index = 0; index < wordCount; index++) if (leftWords[index] !== rightWords[index]) return false;
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
