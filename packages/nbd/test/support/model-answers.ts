import { Buffer } from "node:buffer";
import { Op } from "@cev/core";
import { Command } from "../../src/protocol/numbers.ts";
import type { HeaderStyle } from "../../src/protocol/numbers.ts";
import { chunkHeadLength, encodeChunkHead, encodeSimpleReply } from "../../src/protocol/reply-head.ts";

/** Whose answer it is. */
interface Asked {
  readonly cookieHigh: number;
  readonly cookieLow: number;
  readonly offset: number;
}

/** What a command is to a layer. */
export const OPS: Readonly<Record<number, Op>> = {
  [Command.read]: Op.read,
  [Command.write]: Op.write,
  [Command.flush]: Op.flush,
  [Command.trim]: Op.discard,
  [Command.writeZeroes]: Op.writeZeroes,
};

/** A whole chunk. */
export function chunk(
  style: HeaderStyle,
  asked: Asked,
  kind: { readonly type: number; readonly flags: number },
  payload: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(chunkHeadLength(style) + payload.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = encodeChunkHead(view, 0, style, asked, kind, payload.length);
  bytes.set(payload, length);
  return bytes;
}

/** A whole simple reply, without data. */
export function simpleReply(asked: Asked, errno: number): Buffer {
  const bytes = Buffer.alloc(16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  encodeSimpleReply(view, 0, asked.cookieHigh, asked.cookieLow, errno);
  return bytes;
}
