import type { CevError } from "@cev/core";
import { DATA_OFFSET_LENGTH, encodeError } from "../../protocol/chunk.ts";
import { errorMessage, nbdErrnoOf } from "../../protocol/errno.ts";
import { ChunkFlag, ChunkType } from "../../protocol/numbers.ts";
import type { HeaderStyle } from "../../protocol/numbers.ts";
import { chunkHeadLength, encodeChunkHead } from "../../protocol/reply-head.ts";
import type { Addressee } from "../../protocol/reply-head.ts";
import { encodeWide } from "../../protocol/wide.ts";
import type { SharedBuffer } from "../../memory/shared-buffer.ts";
import type { ChunkKind, ReplyWriter } from "./reply-writer.ts";
import type { Request } from "./request.ts";

const DATA: ChunkKind = { type: ChunkType.offsetData, flags: 0 };
const ERROR_OFFSET: ChunkKind = { type: ChunkType.errorOffset, flags: ChunkFlag.done };

/** An error that ends the reply to a read, with the offset up to which all is well. */
export function putReadError(
  writer: ReplyWriter,
  style: HeaderStyle,
  to: Addressee,
  error: CevError,
  offset: number,
): void {
  writer.putChunk(style, to, ERROR_OFFSET, encodeReadError(error, offset));
}

function encodeReadError(error: CevError, offset: number): Uint8Array {
  return encodeError(nbdErrnoOf(error.code), errorMessage(error), offset);
}

/**
 * Answers a read that failed after a part had been read: with that part, and the error behind it. `inPlace`: the buffer of
 * replies, if the data lies in it already behind the room for its head. Precondition: there are chunks, and such a part.
 */
export function answerPartialRead(
  request: Request,
  error: CevError,
  writer: ReplyWriter,
  style: HeaderStyle,
  inPlace: SharedBuffer | null,
): void {
  const { offset, shared, replyAt } = request;
  const part = request.io.transferred;
  const headLength = chunkHeadLength(style) + DATA_OFFSET_LENGTH;
  const memory = inPlace ?? shared;
  const failure = encodeReadError(error, offset + part);
  if (memory === null) {
    // With room for the error, too: whole or not at all.
    writer.reserve(headLength + chunkHeadLength(style) + failure.length);
    writer.putChunkHead(style, request, DATA, DATA_OFFSET_LENGTH + part);
    writer.putWide(offset);
    writer.putView(request.bytes, part, request);
  } else {
    const at =
      replyAt + encodeChunkHead(memory.view, replyAt, style, request, DATA, DATA_OFFSET_LENGTH + part);
    encodeWide(memory.view, at, offset);
    if (inPlace === null) writer.put(memory.bytes.subarray(replyAt, replyAt + headLength + part));
    else writer.advanceAt(replyAt, headLength + part);
  }
  writer.putChunk(style, request, ERROR_OFFSET, failure);
  if (memory !== null) request.release();
}
