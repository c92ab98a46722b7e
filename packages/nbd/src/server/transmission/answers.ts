import { NbdErrno } from "../../protocol/numbers.ts";
import {
  ChunkType,
  Command,
  CommandFlag,
  DATA_CHUNK_LENGTH,
  SIMPLE_REPLY_LENGTH,
  STRUCTURED_REPLY_LENGTH,
} from "../../protocol/numbers.ts";
import { errorMessage, nbdErrnoOf } from "../../protocol/errno.ts";
import { encodeChunkHeader, encodeDataChunk, encodeSimpleReply } from "./reply-writer.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import type { Request } from "./request.ts";

/** Data up to this length is copied into the buffer of replies; longer data goes out from where it lies. */
export const COPY_LENGTH_MAX = 16_384;

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

/** Answers a request whose `Io` has ended, and releases it once its data has left. */
export function answer(request: Request, writer: ReplyWriter, isStructured: boolean): void {
  const { error } = request.io;
  if (error !== null) {
    const errno = nbdErrnoOf(error.code, (request.flags & CommandFlag.fastZero) !== 0);
    const { cookieHigh, cookieLow } = request;
    request.release();
    if (isStructured) writer.putErrorChunk(cookieHigh, cookieLow, errno, errorMessage(error));
    else writer.putSimple(cookieHigh, cookieLow, errno);
  } else if (request.command === Command.read) {
    answerRead(request, writer, isStructured);
  } else {
    // Without data the short form is allowed in either case.
    writer.putSimple(request.cookieHigh, request.cookieLow, 0);
    request.release();
  }
}

/** The same for one that ended before `submit` returned: its data may lie in memory that is the connection's own. */
export function answerAtOnce(request: Request, writer: ReplyWriter, isStructured: boolean): void {
  const { shared } = request;
  request.shared = null;
  if (shared === null || request.command !== Command.read || request.io.error !== null) {
    answer(request, writer, isStructured);
    return;
  }
  // It lies in the buffer of replies already, behind the room for its head.
  writer.advance(encodeReadHead(shared.view, request.replyAt, request, isStructured) + request.length);
  request.release();
}

/** Refuses a request that never became one. */
export function answerRefused(
  writer: ReplyWriter,
  isStructured: boolean,
  cookieHigh: number,
  cookieLow: number,
  errno: NbdErrno,
): void {
  if (isStructured) writer.putErrorChunk(cookieHigh, cookieLow, errno, REFUSALS[errno]);
  else writer.putSimple(cookieHigh, cookieLow, errno);
}

function answerRead(request: Request, writer: ReplyWriter, isStructured: boolean): void {
  const { length, shared } = request;
  const headLength = isStructured ? DATA_CHUNK_LENGTH : SIMPLE_REPLY_LENGTH;
  if (shared !== null) {
    // It was begun in place, and the connection went on without that memory.
    encodeReadHead(shared.view, request.replyAt, request, isStructured);
    writer.put(shared.bytes.subarray(request.replyAt, request.replyAt + headLength + length));
    request.release();
  } else if (length <= COPY_LENGTH_MAX) {
    const out = writer.reserve(headLength + length);
    const at = writer.position;
    const dataAt = at + encodeReadHead(out.view, at, request, isStructured);
    const { bytes } = request;
    out.bytes.set(bytes.length === length ? bytes : bytes.subarray(0, length), dataAt);
    writer.advance(dataAt + length - at);
    request.release();
  } else {
    const out = writer.reserve(headLength);
    writer.advance(encodeReadHead(out.view, writer.position, request, isStructured));
    writer.putView(request.bytes, length, request);
  }
}

/** Returns its length. A read of nothing has a chunk without data. */
function encodeReadHead(view: DataView, at: number, request: Request, isStructured: boolean): number {
  const { cookieHigh, cookieLow, length } = request;
  if (!isStructured) {
    encodeSimpleReply(view, at, cookieHigh, cookieLow, 0);
    return SIMPLE_REPLY_LENGTH;
  }
  if (length === 0) {
    encodeChunkHeader(view, at, ChunkType.none, cookieHigh, cookieLow, 0);
    return STRUCTURED_REPLY_LENGTH;
  }
  encodeDataChunk(view, at, cookieHigh, cookieLow, request.io.offset, length);
  return DATA_CHUNK_LENGTH;
}
