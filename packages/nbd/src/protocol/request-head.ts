import { REQUEST_LENGTH, REQUEST_MAGIC } from "./numbers.ts";

/** What a request message says, its payload aside. Filled in again for every message. */
export interface RequestHead {
  flags: number;
  command: number;
  /** The client's cookie in signed halves: small integers cost nothing. */
  cookieHigh: number;
  cookieLow: number;
  /** Bytes; beyond 2^53 not exact, but large. */
  offset: number;
  /** Bytes. */
  length: number;
}

export function newRequestHead(): RequestHead {
  return { flags: 0, command: 0, cookieHigh: 0, cookieLow: 0, offset: 0, length: 0 };
}

/** Reads the message at `at`. Precondition: `REQUEST_LENGTH` bytes are there, and they start with the magic number. */
export function decodeRequestHead(view: DataView, at: number, head: RequestHead): void {
  head.flags = view.getUint16(at + 4);
  head.command = view.getUint16(at + 6);
  head.cookieHigh = view.getInt32(at + 8);
  head.cookieLow = view.getInt32(at + 12);
  head.offset = view.getUint32(at + 16) * 0x1_0000_0000 + view.getUint32(at + 20);
  head.length = view.getUint32(at + 24);
}

/** The message as bytes, its payload aside. */
export function encodeRequestHead(head: Readonly<RequestHead>): Uint8Array {
  const view = new DataView(new ArrayBuffer(REQUEST_LENGTH));
  view.setUint32(0, REQUEST_MAGIC);
  view.setUint16(4, head.flags);
  view.setUint16(6, head.command);
  view.setInt32(8, head.cookieHigh);
  view.setInt32(12, head.cookieLow);
  view.setBigUint64(16, BigInt(head.offset));
  view.setUint32(24, head.length);
  return new Uint8Array(view.buffer);
}
