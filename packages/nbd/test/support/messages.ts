import { Buffer } from "node:buffer";
import { decodeBlockStatus } from "../../src/protocol/chunk.ts";
import {
  ChunkType,
  ClientFlag,
  EXTENDED_REPLY_MAGIC,
  HeaderStyle,
  OptionType,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from "../../src/protocol/numbers.ts";
import { encodeRequestHead, requestLength } from "../../src/protocol/request-head.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";

/** What a client sends, and what it can read of what it gets. Written from the document, not from the server. */

export function clientFlags(flags: number = ClientFlag.fixedNewstyle | ClientFlag.noZeroes): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(flags);
  return bytes;
}

export function option(type: number, data: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(16);
  head.write("IHAVEOPT");
  head.writeUInt32BE(type, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

export function infoData(name: string, infoTypes: readonly number[] = []): Buffer {
  const bytes = Buffer.from(name);
  const data = Buffer.alloc(6 + bytes.length + 2 * infoTypes.length);
  data.writeUInt32BE(bytes.length);
  bytes.copy(data, 4);
  data.writeUInt16BE(infoTypes.length, 4 + bytes.length);
  infoTypes.forEach((type, index) => data.writeUInt16BE(type, 6 + bytes.length + 2 * index));
  return data;
}

export const go = (name: string, infoTypes: readonly number[] = []): Buffer =>
  option(OptionType.go, infoData(name, infoTypes));

/** The head of a request as bytes. */
export function requestHead(head: RequestHead, style: HeaderStyle = HeaderStyle.simple): Buffer {
  const bytes = Buffer.alloc(requestLength(style));
  encodeRequestHead(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, style, head);
  return bytes;
}

export interface RequestParts {
  readonly command: number;
  readonly cookie?: number;
  readonly offset?: number;
  readonly length?: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
}

export function request(parts: RequestParts, style: HeaderStyle = HeaderStyle.simple): Buffer {
  const { command, cookie = 1, offset = 0, payload, flags = 0 } = parts;
  const length = parts.length ?? payload?.length ?? 0;
  const head = requestHead({ command, flags, cookieHigh: 0, cookieLow: cookie, offset, length }, style);
  return Buffer.concat([head, payload ?? new Uint8Array(0)]);
}

export interface OptionAnswer {
  readonly option: number;
  readonly reply: number;
  readonly data: Buffer;
}

/** Takes answers to options off the front of `bytes`, which have to be whole. */
export function parseOptionAnswers(bytes: Buffer): OptionAnswer[] {
  const answers: OptionAnswer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.readBigUInt64BE(at) !== 0x3e889045565a9n) throw new Error(`no answer to an option at ${at}`);
    const length = bytes.readUInt32BE(at + 16);
    if (at + 20 + length > bytes.length) throw new Error("half an answer");
    answers.push({
      option: bytes.readUInt32BE(at + 8),
      reply: bytes.readUInt32BE(at + 12),
      data: bytes.subarray(at + 20, at + 20 + length),
    });
    at += 20 + length;
  }
  return answers;
}

export interface Reply {
  readonly kind: "simple" | "chunk" | "extended";
  readonly cookie: number;
  readonly error: number;
  readonly type: number;
  readonly isDone: boolean;
  readonly offset: number;
  readonly data: Buffer;
  readonly message: string;
  /** What an extended head repeats of the request. */
  readonly requestOffset: number;
  /** Of a hole. */
  readonly length: number;
  readonly status: BlockStatus | null;
}

type BlockStatus = NonNullable<ReturnType<typeof decodeBlockStatus>>;

/** Takes the replies apart. `lengthOf`: how much data follows a good simple reply to this cookie. */
export function parseReplies(bytes: Buffer, lengthOf: (cookie: number) => number = () => 0): Reply[] {
  const replies: Reply[] = [];
  const none = {
    type: -1,
    isDone: true,
    offset: -1,
    data: Buffer.alloc(0),
    message: "",
    requestOffset: -1,
    length: -1,
    status: null,
  };
  for (let at = 0; at < bytes.length;) {
    const magic = bytes.readUInt32BE(at);
    const cookie = bytes.readUInt32BE(at + 12);
    if (magic === SIMPLE_REPLY_MAGIC) {
      const error = bytes.readUInt32BE(at + 4);
      const length = error === 0 ? lengthOf(bytes.readUInt32BE(at + 12)) : 0;
      const data = bytes.subarray(at + 16, at + 16 + length);
      if (data.length < length) throw new Error("half a reply");
      replies.push({ ...none, kind: "simple", cookie, error, data });
      at += 16 + length;
    } else if (magic === STRUCTURED_REPLY_MAGIC) {
      const isDone = (bytes.readUInt16BE(at + 4) & 1) !== 0;
      const type = bytes.readUInt16BE(at + 6);
      const length = bytes.readUInt32BE(at + 16);
      const payload = bytes.subarray(at + 20, at + 20 + length);
      if (payload.length < length) throw new Error("half a chunk");
      replies.push({ ...none, kind: "chunk", cookie, error: 0, type, isDone, ...chunkParts(type, payload) });
      at += 20 + length;
    } else if (magic === EXTENDED_REPLY_MAGIC) {
      const isDone = (bytes.readUInt16BE(at + 4) & 1) !== 0;
      const type = bytes.readUInt16BE(at + 6);
      const requestOffset = Number(bytes.readBigUInt64BE(at + 16));
      const length = Number(bytes.readBigUInt64BE(at + 24));
      const payload = bytes.subarray(at + 32, at + 32 + length);
      if (payload.length < length) throw new Error("half a chunk");
      const parts = chunkParts(type, payload);
      replies.push({ ...none, kind: "extended", cookie, error: 0, type, isDone, ...parts, requestOffset });
      at += 32 + length;
    } else {
      throw new Error(`no reply at ${at}`);
    }
  }
  return replies;
}

function chunkParts(type: number, payload: Buffer): Partial<Reply> {
  if (type === ChunkType.offsetData)
    return { offset: Number(payload.readBigUInt64BE()), data: payload.subarray(8) };
  if (type === ChunkType.offsetHole)
    return { offset: Number(payload.readBigUInt64BE()), length: payload.readUInt32BE(8) };
  if (type === ChunkType.error || type === ChunkType.errorOffset) {
    const length = payload.readUInt16BE(4);
    const told = { error: payload.readUInt32BE(), message: payload.toString("utf8", 6, 6 + length) };
    if (type === ChunkType.error) return told;
    return { ...told, offset: Number(payload.readBigUInt64BE(6 + length)) };
  }
  if (type === ChunkType.blockStatus || type === ChunkType.blockStatusExtended) {
    const status = decodeBlockStatus(payload, type === ChunkType.blockStatusExtended);
    if (status === null) throw new Error("a status that is not well formed");
    return { status };
  }
  return {};
}
