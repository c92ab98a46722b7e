import {
  EXTENDED_REPLY_LENGTH,
  EXTENDED_REPLY_MAGIC,
  HeaderStyle,
  SIMPLE_REPLY_LENGTH,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_LENGTH,
  STRUCTURED_REPLY_MAGIC,
} from "./numbers.ts";
import { encodeWide, wideAt } from "./wide.ts";

/** What of a request its replies repeat. */
export interface Addressee {
  /** The client's cookie, in signed halves. */
  readonly cookieHigh: number;
  readonly cookieLow: number;
  /** Of the request; only extended heads have it. */
  readonly offset: number;
}

/** What the head of a reply says. Filled in again for every message. */
export interface ReplyHead {
  /** Of this head. */
  style: HeaderStyle;
  /** Of a chunk. */
  type: number;
  /** Of a chunk. */
  flags: number;
  /** Of a simple reply. */
  errno: number;
  cookieHigh: number;
  cookieLow: number;
  /** Of the request, in an extended head. */
  offset: number;
  /** Of a chunk, in bytes; beyond 2^53 not exact, but large. */
  payloadLength: number;
}

export function newReplyHead(): ReplyHead {
  return {
    style: HeaderStyle.simple,
    type: 0,
    flags: 0,
    errno: 0,
    cookieHigh: 0,
    cookieLow: 0,
    offset: 0,
    payloadLength: 0,
  };
}

/** Bytes in front of a chunk's payload; of a simple reply's head. */
export function chunkHeadLength(style: HeaderStyle): 16 | 20 | 32 {
  if (style === HeaderStyle.simple) return SIMPLE_REPLY_LENGTH;
  return style === HeaderStyle.structured ? STRUCTURED_REPLY_LENGTH : EXTENDED_REPLY_LENGTH;
}

/** Writes the head of a chunk at `at`, and returns its length. Precondition: the style has chunks. */
export function encodeChunkHead(
  view: DataView,
  at: number,
  style: HeaderStyle,
  to: Addressee,
  chunk: { readonly type: number; readonly flags: number },
  payloadLength: number,
): 20 | 32 {
  const isExtended = style === HeaderStyle.extended;
  view.setUint32(at, isExtended ? EXTENDED_REPLY_MAGIC : STRUCTURED_REPLY_MAGIC);
  view.setUint16(at + 4, chunk.flags);
  view.setUint16(at + 6, chunk.type);
  view.setInt32(at + 8, to.cookieHigh);
  view.setInt32(at + 12, to.cookieLow);
  if (!isExtended) {
    view.setUint32(at + 16, payloadLength);
    return STRUCTURED_REPLY_LENGTH;
  }
  encodeWide(view, at + 16, to.offset);
  encodeWide(view, at + 24, payloadLength);
  return EXTENDED_REPLY_LENGTH;
}

/** Writes the head of a simple reply at `at`. */
export function encodeSimpleReply(
  view: DataView,
  at: number,
  cookieHigh: number,
  cookieLow: number,
  errno: number,
): void {
  view.setUint32(at, SIMPLE_REPLY_MAGIC);
  view.setUint32(at + 4, errno);
  view.setInt32(at + 8, cookieHigh);
  view.setInt32(at + 12, cookieLow);
}

/**
 * Reads the head at `at`, of which `available` bytes are there, and returns its length. Null: more bytes are needed; false: it
 * is none that `style` allows.
 */
export function decodeReplyHead(
  view: DataView,
  at: number,
  available: number,
  style: HeaderStyle,
  head: ReplyHead,
): number | null | false {
  if (available < 4) return null;
  const magic = view.getUint32(at);
  if (magic === SIMPLE_REPLY_MAGIC && style !== HeaderStyle.extended)
    return available < SIMPLE_REPLY_LENGTH ? null : decodeSimple(view, at, head);
  if (magic === STRUCTURED_REPLY_MAGIC && style === HeaderStyle.structured)
    return available < STRUCTURED_REPLY_LENGTH ? null : decodeChunk(view, at, HeaderStyle.structured, head);
  if (magic === EXTENDED_REPLY_MAGIC && style === HeaderStyle.extended)
    return available < EXTENDED_REPLY_LENGTH ? null : decodeChunk(view, at, HeaderStyle.extended, head);
  return false;
}

function decodeSimple(view: DataView, at: number, head: ReplyHead): number {
  head.style = HeaderStyle.simple;
  head.type = 0;
  head.flags = 0;
  head.errno = view.getUint32(at + 4);
  head.cookieHigh = view.getInt32(at + 8);
  head.cookieLow = view.getInt32(at + 12);
  head.offset = 0;
  head.payloadLength = 0;
  return SIMPLE_REPLY_LENGTH;
}

function decodeChunk(view: DataView, at: number, style: HeaderStyle, head: ReplyHead): number {
  const isExtended = style === HeaderStyle.extended;
  head.style = style;
  head.flags = view.getUint16(at + 4);
  head.type = view.getUint16(at + 6);
  head.errno = 0;
  head.cookieHigh = view.getInt32(at + 8);
  head.cookieLow = view.getInt32(at + 12);
  head.offset = isExtended ? wideAt(view, at + 16) : 0;
  head.payloadLength = isExtended ? wideAt(view, at + 24) : view.getUint32(at + 16);
  return isExtended ? EXTENDED_REPLY_LENGTH : STRUCTURED_REPLY_LENGTH;
}
