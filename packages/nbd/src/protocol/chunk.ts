import { ChunkType, HeaderStyle, STRING_LENGTH_MAX } from "./numbers.ts";
import { textForPeople } from "./strings.ts";
import { encodeWide, wideAt } from "./wide.ts";

/** Bytes in front of the data of an `offsetData` chunk. */
export const DATA_OFFSET_LENGTH = 8;
/** Bytes of the payload of an `offsetHole` chunk. */
export const HOLE_LENGTH = 12;

/** A run of bytes, and what a context says of it. */
export interface StatusExtent {
  /** Bytes, more than 0. */
  readonly length: number;
  /** Bits of the context's own: 32, or up to 53 of 64 under extended headers. */
  readonly status: number;
}

/** What an error chunk tells. */
export interface ErrorChunk {
  readonly errno: number;
  /** For people. */
  readonly message: string;
  /** Where it happened; null in a chunk that does not say. */
  readonly offset: number | null;
}

/** The payload of a hole. */
export function encodeHole(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(HOLE_LENGTH);
  const view = new DataView(bytes.buffer);
  encodeWide(view, 0, offset);
  view.setUint32(8, length);
  return bytes;
}

/** The payload of an error chunk: of type `error`, or `errorOffset` where there is an offset. */
export function encodeError(errno: number, message: string, offset: number | null = null): Uint8Array {
  const text = new TextEncoder().encode(message.slice(0, STRING_LENGTH_MAX / 4));
  const bytes = new Uint8Array(6 + text.length + (offset === null ? 0 : 8));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, errno);
  view.setUint16(4, text.length);
  bytes.set(text, 6);
  if (offset !== null) encodeWide(view, 6 + text.length, offset);
  return bytes;
}

/** What an error chunk of any type tells, or null when its payload is not well formed. */
export function decodeError(payload: Uint8Array, type: number): ErrorChunk | null {
  if (payload.length < 6) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const end = 6 + view.getUint16(4);
  const tailLength = type === ChunkType.errorOffset ? 8 : 0;
  // What follows in a chunk of an unknown type is not for us.
  const isKnown = type === ChunkType.error || type === ChunkType.errorOffset;
  if (isKnown ? payload.length !== end + tailLength : payload.length < end) return null;
  return {
    errno: view.getUint32(0),
    message: textForPeople(payload.subarray(6, end)),
    offset: tailLength === 0 ? null : wideAt(view, end),
  };
}

/** Bytes of the payload of a status chunk with so many extents. */
export function blockStatusLength(style: HeaderStyle, count: number): number {
  return style === HeaderStyle.extended ? 8 + 16 * count : 4 + 8 * count;
}

/** The payload of a chunk of type `blockStatus`, or `blockStatusExtended` under extended headers. */
export function encodeBlockStatus(
  style: HeaderStyle,
  contextId: number,
  extents: readonly StatusExtent[],
): Uint8Array {
  const bytes = new Uint8Array(blockStatusLength(style, extents.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, contextId);
  if (style === HeaderStyle.extended) {
    view.setUint32(4, extents.length);
    for (const [index, { length, status }] of extents.entries()) {
      encodeWide(view, 8 + 16 * index, length);
      encodeWide(view, 16 + 16 * index, status);
    }
  } else {
    for (const [index, { length, status }] of extents.entries()) {
      view.setUint32(4 + 8 * index, length);
      view.setUint32(8 + 8 * index, status);
    }
  }
  return bytes;
}

/** What a status chunk tells, or null when its payload is not well formed: no extent, one of no length, a wrong count. */
export function decodeBlockStatus(
  payload: Uint8Array,
  isExtended: boolean,
): { readonly contextId: number; readonly extents: StatusExtent[] } | null {
  const headLength = isExtended ? 8 : 4;
  const entryLength = isExtended ? 16 : 8;
  const count = (payload.length - headLength) / entryLength;
  if (count < 1 || !Number.isInteger(count)) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (isExtended && view.getUint32(4) !== count) return null;
  const extents: StatusExtent[] = [];
  for (let at = headLength; at < payload.length; at += entryLength) {
    const length = isExtended ? wideAt(view, at) : view.getUint32(at);
    const status = isExtended ? wideAt(view, at + 8) : view.getUint32(at + 4);
    if (length === 0) return null;
    extents.push({ length, status });
  }
  return { contextId: view.getUint32(0), extents };
}
