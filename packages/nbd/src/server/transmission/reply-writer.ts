import { Buffer } from "node:buffer";
import {
  ChunkFlag,
  ChunkType,
  DATA_CHUNK_LENGTH,
  SIMPLE_REPLY_LENGTH,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_LENGTH,
  STRUCTURED_REPLY_MAGIC,
} from "../../protocol/numbers.ts";
import type { SharedBuffer, SharedBufferPool } from "../../memory/shared-buffer.ts";
import type { Transport } from "../../transport/socket-transport.ts";

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
  #out: SharedBuffer;
  // What was put into `#out` and is not yet in a piece.
  #start = 0;
  #end = 0;
  readonly #pieces: Buffer[] = [];
  #held: Releasable[] = [];
  // Of the write under way.
  #sendingHeld: Releasable[] = [];
  #sendingLength = 0;
  #isSending = false;

  constructor(transport: Transport, pool: SharedBufferPool) {
    this.#transport = transport;
    this.#pool = pool;
    this.#out = pool.acquire();
  }

  /** True when nothing waits to be sent or is on its way. */
  get isIdle(): boolean {
    return this.unsentLength === 0 && !this.#isSending;
  }

  /** The buffer to put the next `length` bytes into, at `position`; then `advance`. Sends what is there when it is full. */
  reserve(length: number): SharedBuffer {
    if (this.#end + length > this.#out.length) {
      this.flush();
      if (this.#end + length > this.#out.length) this.#newBuffer();
    }
    return this.#out;
  }

  get position(): number {
    return this.#end;
  }

  advance(length: number): void {
    this.#end += length;
    this.unsentLength += length;
  }

  /** Leaves the reserved range to a request that has not ended: later bytes go elsewhere, and the caller holds the buffer. */
  giveAway(): void {
    this.#out.retain();
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

  /** An error as a chunk that ends its reply, with a sentence for people. */
  putErrorChunk(cookieHigh: number, cookieLow: number, errno: number, message: string): void {
    const text = Buffer.from(message.slice(0, 1000), "utf8");
    const length = STRUCTURED_REPLY_LENGTH + 6 + text.length;
    const { view, bytes } = this.reserve(length);
    encodeChunkHeader(view, this.#end, ChunkType.error, cookieHigh, cookieLow, 6 + text.length);
    view.setUint32(this.#end + STRUCTURED_REPLY_LENGTH, errno);
    view.setUint16(this.#end + STRUCTURED_REPLY_LENGTH + 4, text.length);
    bytes.set(text, this.#end + STRUCTURED_REPLY_LENGTH + 6);
    this.advance(length);
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
    } else if (this.#end > 0) {
      // What was put into it is on its way.
      held.push(this.#out);
      this.#out = this.#pool.acquire();
    }
    this.#start = this.#end = 0;
  }

  /** The write under way has ended: what lay in it is free. */
  drained(): void {
    this.#isSending = false;
    this.unsentLength -= this.#sendingLength;
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

  #seal(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.#out.node.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #newBuffer(): void {
    this.#seal();
    if (this.#end === 0) this.#out.release();
    else this.#held.push(this.#out);
    this.#out = this.#pool.acquire();
    this.#start = this.#end = 0;
  }
}

/** The header of a simple reply, at `at`. Cookies are halves, as the client sent them. */
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

/** The header of a chunk that ends its reply, at `at`. */
export function encodeChunkHeader(
  view: DataView,
  at: number,
  type: number,
  cookieHigh: number,
  cookieLow: number,
  payloadLength: number,
): void {
  view.setUint32(at, STRUCTURED_REPLY_MAGIC);
  view.setUint16(at + 4, ChunkFlag.done);
  view.setUint16(at + 6, type);
  view.setInt32(at + 8, cookieHigh);
  view.setInt32(at + 12, cookieLow);
  view.setUint32(at + 16, payloadLength);
}

/** The header of a chunk with data from `offset` on, at `at`; the data follows it. */
export function encodeDataChunk(
  view: DataView,
  at: number,
  cookieHigh: number,
  cookieLow: number,
  offset: number,
  dataLength: number,
): void {
  encodeChunkHeader(view, at, ChunkType.offsetData, cookieHigh, cookieLow, 8 + dataLength);
  view.setUint32(at + DATA_CHUNK_LENGTH - 8, Math.floor(offset / 0x1_0000_0000));
  view.setUint32(at + DATA_CHUNK_LENGTH - 4, offset >>> 0);
}
