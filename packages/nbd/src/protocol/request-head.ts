import {
  Command,
  CommandFlag,
  EXTENDED_REQUEST_LENGTH,
  EXTENDED_REQUEST_MAGIC,
  HeaderStyle,
  REQUEST_LENGTH,
  REQUEST_MAGIC,
} from "./numbers.ts";
import { encodeWide, wideAt } from "./wide.ts";

/** What a request message says, its payload aside. Filled in again for every message. */
export interface RequestHead {
  flags: number;
  command: number;
  /** The client's cookie in signed halves: small integers cost nothing. */
  cookieHigh: number;
  cookieLow: number;
  /** Bytes; beyond 2^53 not exact, but large. */
  offset: number;
  /** Bytes that the request is about, or of its payload; beyond 2^53 not exact, but large. */
  length: number;
}

export function newRequestHead(): RequestHead {
  return { flags: 0, command: 0, cookieHigh: 0, cookieLow: 0, offset: 0, length: 0 };
}

/** Bytes of a request's head. */
export function requestLength(style: HeaderStyle): 28 | 32 {
  return style === HeaderStyle.extended ? EXTENDED_REQUEST_LENGTH : REQUEST_LENGTH;
}

/** What a request starts with. */
export function requestMagic(style: HeaderStyle): number {
  return style === HeaderStyle.extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC;
}

/** Reads the head at `at`. Precondition: `requestLength` bytes are there, and they start with the magic number. */
export function decodeRequestHead(view: DataView, at: number, style: HeaderStyle, head: RequestHead): void {
  head.flags = view.getUint16(at + 4);
  head.command = view.getUint16(at + 6);
  head.cookieHigh = view.getInt32(at + 8);
  head.cookieLow = view.getInt32(at + 12);
  head.offset = wideAt(view, at + 16);
  head.length = style === HeaderStyle.extended ? wideAt(view, at + 24) : view.getUint32(at + 24);
}

/** Writes a head at `at`, and returns its length. */
export function encodeRequestHead(
  view: DataView,
  at: number,
  style: HeaderStyle,
  head: Readonly<RequestHead>,
): number {
  view.setUint32(at, requestMagic(style));
  view.setUint16(at + 4, head.flags);
  view.setUint16(at + 6, head.command);
  view.setInt32(at + 8, head.cookieHigh);
  view.setInt32(at + 12, head.cookieLow);
  encodeWide(view, at + 16, head.offset);
  if (style === HeaderStyle.extended) encodeWide(view, at + 24, head.length);
  else view.setUint32(at + 24, head.length);
  return requestLength(style);
}

/**
 * Bytes that follow a head on the wire. A write always has a payload: QEMU's client leaves out the flag that says so under extended
 * headers (10.0 does), and its server bears with that.
 */
export function payloadLengthOf(
  style: HeaderStyle,
  { command, flags, length }: Pick<Readonly<RequestHead>, "command" | "flags" | "length">,
): number {
  if (command === Command.write) return length;
  const saysSo = style === HeaderStyle.extended && (flags & CommandFlag.payloadLength) !== 0;
  return saysSo ? length : 0;
}
