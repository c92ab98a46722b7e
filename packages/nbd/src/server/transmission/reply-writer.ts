import { Buffer } from "node:buffer";
import { ChunkFlag, ChunkType, HeaderStyle, SIMPLE_REPLY_LENGTH } from "../../protocol/numbers.ts";
import { encodeError } from "../../protocol/chunk.ts";
import { chunkHeadLength, encodeChunkHead, encodeSimpleReply } from "../../protocol/reply-head.ts";
import type { Addressee } from "../../protocol/reply-head.ts";
import { encodeWide } from "../../protocol/wide.ts";
import type { SharedBuffer, SharedBufferPool } from "../../memory/shared-buffer.ts";
import type { Transport } from "../../transport/transport.ts";

/** Of a chunk: what it is, and whether it is the last. */
export interface ChunkKind {
  readonly type: number;
  readonly flags: number;
}

const DONE: ChunkKind = { type: ChunkType.none, flags: ChunkFlag.done };
const ERROR: ChunkKind = { type: ChunkType.error, flags: ChunkFlag.done };
const NO_PAYLOAD = new Uint8Array(0);
/** Data up to this length is copied into the buffer of replies; longer data goes out from where it lies. */
export const COPY_LENGTH_MAX = 16_384;
// After so many sends in a row that would have left most of the small buffer empty, the large one is given back.
const QUIET_COUNT = 64;
const NOBODY: Releasable = { release: () => {} };

/** Something in use until the bytes that lie in it have left. */
export interface Releasable {
  release(): void;
}

/**
 * Gathers what is to be sent and hands it over in one vectored write per `flush`. Small things are copied one behind the
 * other into one buffer, which is used again as soon as it has left; long data goes out from where it lies.
 */
export class ReplyWriter {
  /** Bytes gathered or on their way. */
  unsentLength = 0;
  readonly #transport: Transport;
  readonly #pool: SharedBufferPool;
  // Of the buffer that it begins with, and has again while little is sent.
  readonly #smallPool: SharedBufferPool;
  #quietCount = 0;
  #out: SharedBuffer;
  // What was put into `#out` and is not yet in a piece.
  #start = 0;
  #end = 0;
  readonly #pieces: Buffer[] = [];
  #held: Releasable[] = [];
  // Of the write under way.
  #sendingHeld: Releasable[] = [];
  #sendingLength = 0;
  // Of the writes before it.
  #leftLength = 0;
  #isSending = false;

  constructor(transport: Transport, pool: SharedBufferPool, smallPool: SharedBufferPool = pool) {
    this.#transport = transport;
    this.#pool = pool;
    this.#smallPool = smallPool;
    this.#out = smallPool.acquire();
  }

  /** True when nothing waits to be sent or is on its way. */
  get isIdle(): boolean {
    return this.unsentLength === 0 && !this.#isSending;
  }

  /** Bytes that have left since the beginning, where of a write under way so many have not. */
  sentLength(waitingLength: number): number {
    return this.#leftLength + Math.max(0, this.#sendingLength - waitingLength);
  }

  /** The buffer to put the next `length` bytes into, at `position`; then `advance`. Sends what is there when it is full. */
  reserve(length: number): SharedBuffer {
    if (this.#end + length > this.#out.length) {
      // To send what fits into the small one would be many sends.
      if (this.#out.length === this.#pool.bufferLength) this.flush();
      if (this.#end + length > this.#out.length) this.#newBuffer();
    }
    return this.#out;
  }

  get position(): number {
    return this.#end;
  }

  /** True when so much can be reserved without a send and without another buffer. */
  hasRoom(length: number): boolean {
    return this.#end + length <= this.#out.length;
  }

  /** The same for what lies from `at` on: what is before it, from the position on, is left out. */
  advanceAt(at: number, length: number): void {
    if (at !== this.#end) {
      this.#seal();
      this.#start = this.#end = at;
    }
    this.advance(length);
  }

  advance(length: number): void {
    this.#end += length;
    this.unsentLength += length;
  }

  /** Leaves the room behind the position to requests that have not ended and hold the buffer: later bytes go elsewhere. */
  giveAway(): void {
    this.#newBuffer();
  }

  /** A copy of the bytes. */
  put(bytes: Uint8Array): void {
    const out = this.reserve(bytes.length);
    out.bytes.set(bytes, this.#end);
    this.advance(bytes.length);
  }

  /** The first `length` bytes themselves, `holder` released when they have left. */
  putView(bytes: Uint8Array, length: number, holder: Releasable): void {
    this.#seal();
    this.#pieces.push(Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, length));
    this.#held.push(holder);
    this.unsentLength += length;
  }

  /** A reply without data. */
  putSimple(cookieHigh: number, cookieLow: number, errno: number): void {
    const { view } = this.reserve(SIMPLE_REPLY_LENGTH);
    encodeSimpleReply(view, this.#end, cookieHigh, cookieLow, errno);
    this.advance(SIMPLE_REPLY_LENGTH);
  }

  /** What a request without data gets when all went well. */
  putDone(style: HeaderStyle, to: Addressee): void {
    // Without data the short form is allowed beside chunks, but not beside extended ones.
    if (style !== HeaderStyle.extended) this.putSimple(to.cookieHigh, to.cookieLow, 0);
    else this.putChunk(style, to, DONE, NO_PAYLOAD);
  }

  /** The head of a chunk whose payload is put next. */
  putChunkHead(style: HeaderStyle, to: Addressee, chunk: ChunkKind, payloadLength: number): void {
    const { view } = this.reserve(chunkHeadLength(style));
    this.advance(encodeChunkHead(view, this.#end, style, to, chunk, payloadLength));
  }

  /** A number of 64 bits. */
  putWide(value: number): void {
    encodeWide(this.reserve(8).view, this.#end, value);
    this.advance(8);
  }

  /** A chunk with its payload. `holder` is released when that may change. */
  putChunk(
    style: HeaderStyle,
    to: Addressee,
    chunk: ChunkKind,
    payload: Uint8Array,
    holder: Releasable = NOBODY,
  ): void {
    if (payload.length > COPY_LENGTH_MAX) {
      this.putChunkHead(style, to, chunk, payload.length);
      this.putView(payload, payload.length, holder);
      return;
    }
    const headLength = chunkHeadLength(style);
    const { view, bytes } = this.reserve(headLength + payload.length);
    encodeChunkHead(view, this.#end, style, to, chunk, payload.length);
    bytes.set(payload, this.#end + headLength);
    this.advance(headLength + payload.length);
    holder.release();
  }

  /** An error, which ends its reply; with a sentence for people where there are chunks. */
  putError(style: HeaderStyle, to: Addressee, errno: number, message: string): void {
    if (style === HeaderStyle.simple) this.putSimple(to.cookieHigh, to.cookieLow, errno);
    else this.putChunk(style, to, ERROR, encodeError(errno, message));
  }

  /** Sends all that was gathered, unless the last write is still under way: then it leaves right after that one. */
  flush(): void {
    if (this.#isSending) return;
    this.#seal();
    if (this.#pieces.length === 0) return;
    const held = this.#held;
    this.#held = this.#sendingHeld;
    this.#sendingHeld = held;
    this.#sendingLength = this.unsentLength;
    this.#isSending = true;
    const hasLeft = this.#transport.write(this.#pieces);
    this.#pieces.length = 0;
    if (hasLeft) {
      this.drained();
      if (this.#out.length > this.#smallPool.bufferLength) this.#noteSent();
    } else if (this.#end > 0) {
      // What was put into it is on its way.
      const isSmall = this.#out.length === this.#smallPool.bufferLength;
      const next = (isSmall ? this.#smallPool : this.#pool).acquire();
      held.push(this.#out);
      this.#out = next;
    }
    this.#start = this.#end = 0;
  }

  /** The write under way has ended: what lay in it is free. */
  drained(): void {
    this.#isSending = false;
    this.unsentLength -= this.#sendingLength;
    this.#leftLength += this.#sendingLength;
    this.#sendingLength = 0;
    for (const holder of this.#sendingHeld) holder.release();
    this.#sendingHeld.length = 0;
  }

  /** Gives everything back. Nothing may be sent any more. */
  close(): void {
    this.drained();
    for (const holder of this.#held.splice(0)) holder.release();
    this.#pieces.length = 0;
    this.#start = this.#end = 0;
    this.unsentLength = 0;
    this.#out.release();
  }

  /** All that lay in the large buffer has left: the small one is enough if that was little for long. */
  #noteSent(): void {
    this.#quietCount = this.#end <= this.#smallPool.bufferLength / 4 ? this.#quietCount + 1 : 0;
    if (this.#quietCount < QUIET_COUNT) return;
    this.#quietCount = 0;
    const next = this.#smallPool.acquire();
    this.#out.release();
    this.#out = next;
  }

  #seal(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.#out.node.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #newBuffer(): void {
    const next = this.#pool.acquire();
    this.#seal();
    if (this.#end === 0) this.#out.release();
    else this.#held.push(this.#out);
    this.#out = next;
    this.#start = this.#end = 0;
  }
}
