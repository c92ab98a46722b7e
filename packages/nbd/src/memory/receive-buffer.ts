import { REQUEST_LENGTH } from "../protocol/numbers.ts";
import type { SharedBuffer, SharedBufferPool } from "./shared-buffer.ts";

// Kept for the case that all else is full of messages that may not be used yet: there always has to be some room.
const TAIL_LENGTH = 4096;
// From this length on a message is received by itself, at the front, where the memory is warm.
const LONG_LENGTH = 65_536;
const MOVED_LENGTH_MAX = 4096;
// After so many receivings in a row that would have left most of the small buffer empty, the large one is given back.
const QUIET_COUNT = 64;

/**
 * What has been received and not yet been used. Bytes are received behind what is there, so that a message lies in one
 * piece; when all is used, receiving starts at the front again, where the memory is warm.
 *
 * It begins with a small buffer, and takes a large one when that was filled or a message does not fit: most connections do
 * nothing most of the time, and each of them waits with a buffer in its hand.
 */
export class ReceiveBuffer {
  /** Unused bytes lie from `start` to `end`. */
  start = 0;
  end = 0;
  #memory: SharedBuffer;
  // Of the two the one that `#memory` is of.
  #pool: SharedBufferPool;
  readonly #largePool: SharedBufferPool;
  readonly #smallPool: SharedBufferPool;
  // The room that was handed out last.
  #roomStart = 0;
  #roomEnd = -1;
  #quietCount = 0;

  constructor(largePool: SharedBufferPool, smallPool: SharedBufferPool = largePool) {
    this.#largePool = largePool;
    this.#smallPool = smallPool;
    this.#pool = smallPool;
    this.#memory = smallPool.acquire();
  }

  /** Where the bytes lie. Whoever needs them longer than until the next receiving retains it. */
  get memory(): SharedBuffer {
    return this.#memory;
  }

  get available(): number {
    return this.end - this.start;
  }

  /** The longest message that can lie in one piece. */
  get capacity(): number {
    return this.#largePool.bufferLength - TAIL_LENGTH;
  }

  /** The same, of a client that has not earned much memory yet: no more than what it has where the common memory is used up. */
  get modestCapacity(): number {
    const { bufferLength } =
      this.#pool === this.#largePool || this.#largePool.hasRoom ? this.#largePool : this.#smallPool;
    return bufferLength - TAIL_LENGTH;
  }

  /**
   * The room to receive into, never empty, and enough for a message of `messageLength` bytes of which a part may be there.
   * Only here do bytes move: what was handed out stays valid until it is asked for again.
   */
  room(messageLength: number): Uint8Array {
    if (this.#largePool !== this.#smallPool) this.#chooseSize(messageLength);
    const capacity = this.#memory.length - TAIL_LENGTH;
    const isMine = this.#memory.isMine;
    const isLong = messageLength >= LONG_LENGTH && messageLength > this.available;
    if (this.start === this.end && isMine) this.start = this.end = 0;
    const isFull = this.start + messageLength > capacity || this.end >= capacity;
    if (!isMine || isFull || (isLong && this.available <= MOVED_LENGTH_MAX)) this.#moveToFront();
    const { bytes, length } = this.#memory;
    let limit = this.end >= capacity ? length : capacity;
    // Of what follows a long message no more than the next head: it would have to be moved to make room for its rest.
    if (isLong) limit = Math.min(limit, this.start + messageLength + REQUEST_LENGTH);
    this.#roomStart = this.end;
    this.#roomEnd = limit;
    return this.end === 0 && limit === length ? bytes : bytes.subarray(this.end, limit);
  }

  close(): void {
    this.#memory.release();
    this.start = this.end = 0;
  }

  /** Goes over to the other size where what comes is too much for this one, or has been little for long. */
  #chooseSize(messageLength: number): void {
    if (this.#pool === this.#smallPool) {
      const isFilled = this.end === this.#roomEnd && this.#largePool.hasRoom;
      if (isFilled || messageLength > this.#memory.length - TAIL_LENGTH) this.#moveTo(this.#largePool);
      return;
    }
    const quietLength = this.#smallPool.bufferLength / 4;
    const isQuiet = this.end - this.#roomStart <= quietLength && messageLength <= quietLength;
    this.#quietCount = isQuiet ? this.#quietCount + 1 : 0;
    if (this.#quietCount >= QUIET_COUNT && this.available <= quietLength) this.#moveTo(this.#smallPool);
  }

  #moveTo(pool: SharedBufferPool): void {
    const old = this.#memory;
    this.#memory = pool.acquire();
    this.#pool = pool;
    this.#memory.bytes.set(old.bytes.subarray(this.start, this.end));
    old.release();
    this.end -= this.start;
    this.start = 0;
    this.#quietCount = 0;
  }

  /** Memory in which requests under way have their data is left to them. */
  #moveToFront(): void {
    const old = this.#memory;
    if (old.isMine) {
      if (this.start === 0) return;
      old.bytes.copyWithin(0, this.start, this.end);
    } else {
      this.#memory = this.#pool.acquire();
      this.#memory.bytes.set(old.bytes.subarray(this.start, this.end));
      old.release();
    }
    this.end -= this.start;
    this.start = 0;
  }
}
