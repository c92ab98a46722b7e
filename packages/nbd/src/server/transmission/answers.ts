import type { CevError } from "@cev/core";
import { ChunkFlag, ChunkType, Command, CommandFlag, HeaderStyle, NbdErrno } from "../../protocol/numbers.ts";
import { DATA_OFFSET_LENGTH } from "../../protocol/chunk.ts";
import { errorMessage, nbdErrnoOf } from "../../protocol/errno.ts";
import { chunkHeadLength, encodeChunkHead, encodeSimpleReply } from "../../protocol/reply-head.ts";
import type { Addressee } from "../../protocol/reply-head.ts";
import { encodeWide } from "../../protocol/wide.ts";
import type { SharedBuffer } from "../../memory/shared-buffer.ts";
import { answerPartialRead } from "./partial-read.ts";
import { COPY_LENGTH_MAX } from "./reply-writer.ts";
import type { ChunkKind, ReplyWriter } from "./reply-writer.ts";
import type { Request } from "./request.ts";

const REFUSALS: Readonly<Record<NbdErrno, string>> = {
  [NbdErrno.EPERM]: "the export is read-only",
  [NbdErrno.EIO]: "the request failed",
  [NbdErrno.ENOMEM]: "no memory is left for the request",
  [NbdErrno.EINVAL]:
    "the request is not offered, has a flag it may not have, is not aligned or passes the end",
  [NbdErrno.ENOSPC]: "the request passes the end of the export",
  [NbdErrno.EOVERFLOW]: "the request is longer than the longest payload",
  [NbdErrno.ENOTSUP]: "zeroes are not faster than data here",
  [NbdErrno.ESHUTDOWN]: "the server is being shut down",
};

const LAST_DATA: ChunkKind = { type: ChunkType.offsetData, flags: ChunkFlag.done };
const NOTHING: ChunkKind = { type: ChunkType.none, flags: ChunkFlag.done };

/** Bytes in front of the data that answers a read. */
export function readHeadLength(style: HeaderStyle): number {
  return style === HeaderStyle.simple ? chunkHeadLength(style) : chunkHeadLength(style) + DATA_OFFSET_LENGTH;
}

/** Answers a request whose `Io` has ended, and releases it once its data has left. */
export function answer(request: Request, writer: ReplyWriter, style: HeaderStyle): void {
  const { error } = request.io;
  if (error !== null) {
    answerError(request, error, writer, style, null);
  } else if (request.command === Command.read) {
    answerRead(request, writer, style);
  } else {
    writer.putDone(style, request);
    request.release();
  }
}

/** The same for one that ended before `submit` returned, or with its burst: its data may lie in memory that is the connection's own. */
export function answerAtOnce(request: Request, writer: ReplyWriter, style: HeaderStyle): void {
  const { shared } = request;
  request.shared = null;
  if (shared === null || request.command !== Command.read) return answer(request, writer, style);
  const { error } = request.io;
  if (error !== null) return answerError(request, error, writer, style, shared);
  // It lies in the buffer of replies already, behind the room for its head.
  const { replyAt } = request;
  writer.advanceAt(replyAt, encodeReadHead(shared.view, replyAt, request, style) + request.length);
  request.release();
}

/** `inPlace`: the buffer of replies, in which what was read of it lies. */
function answerError(
  request: Request,
  error: CevError,
  writer: ReplyWriter,
  style: HeaderStyle,
  inPlace: SharedBuffer | null,
): void {
  const { command, flags, length, io } = request;
  const errno = nbdErrnoOf(error.code, (flags & CommandFlag.fastZero) !== 0);
  request.errno = errno;
  const hasPart = command === Command.read && io.transferred > 0 && io.transferred < length;
  if (hasPart && style !== HeaderStyle.simple) {
    answerPartialRead(request, error, writer, style, inPlace);
    return;
  }
  writer.putError(style, request, errno, errorMessage(error));
  request.release();
}

/** Refuses a request that never became one. */
export function answerRefused(writer: ReplyWriter, style: HeaderStyle, to: Addressee, errno: NbdErrno): void {
  writer.putError(style, to, errno, REFUSALS[errno]);
}

function answerRead(request: Request, writer: ReplyWriter, style: HeaderStyle): void {
  const { length, shared } = request;
  const headLength = readHeadLength(style);
  if (shared !== null) {
    // It was begun in place, and the connection went on without that memory.
    const total = encodeReadHead(shared.view, request.replyAt, request, style) + length;
    writer.put(shared.bytes.subarray(request.replyAt, request.replyAt + total));
    request.release();
  } else if (length <= COPY_LENGTH_MAX) {
    const out = writer.reserve(headLength + length);
    const at = writer.position;
    const dataAt = at + encodeReadHead(out.view, at, request, style);
    const { bytes } = request;
    out.bytes.set(bytes.length === length ? bytes : bytes.subarray(0, length), dataAt);
    writer.advance(dataAt + length - at);
    request.release();
  } else {
    const out = writer.reserve(headLength);
    writer.advance(encodeReadHead(out.view, writer.position, request, style));
    writer.putView(request.bytes, length, request);
  }
}

/** Returns its length. A read of nothing has a chunk without data. */
function encodeReadHead(view: DataView, at: number, request: Request, style: HeaderStyle): number {
  const { length } = request;
  if (style === HeaderStyle.simple) {
    encodeSimpleReply(view, at, request.cookieHigh, request.cookieLow, 0);
    return chunkHeadLength(style);
  }
  if (length === 0) return encodeChunkHead(view, at, style, request, NOTHING, 0);
  const headLength = encodeChunkHead(view, at, style, request, LAST_DATA, DATA_OFFSET_LENGTH + length);
  encodeWide(view, at + headLength, request.offset);
  return headLength + DATA_OFFSET_LENGTH;
}
