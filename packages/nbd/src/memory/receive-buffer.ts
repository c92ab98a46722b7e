import { REQUEST_LENGTH } from "../protocol/numbers.ts";
import type { SharedBuffer, SharedBufferPool } from "./shared-buffer.ts";

// Kept for the case that all else is full of messages that may not be used yet: there always has to be some room.
const TAIL_LENGTH = 4096;
// From this length on a message is received by itself, at the front, where the memory is warm.
const LONG_LENGTH = 65_536;
const MOVED_LENGTH_MAX = 4096;

/**
 * What has been received and not yet been used. Bytes are received behind what is there, so that a message lies in one
 * piece; when all is used, receiving starts at the front again, where the memory is warm.
 */
export class ReceiveBuffer {
  /** Unused bytes lie from `start` to `end`. */
  start = 0;
  end = 0;
  #memory: SharedBuffer;
  readonly #pool: SharedBufferPool;

  constructor(pool: SharedBufferPool) {
    this.#pool = pool;
    this.#memory = pool.acquire();
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
    return this.#memory.length - TAIL_LENGTH;
  }

  /**
   * The room to receive into, never empty, and enough for a message of `messageLength` bytes of which a part may be there.
   * Only here do bytes move: what was handed out stays valid until it is asked for again.
   */
  room(messageLength: number): Uint8Array {
    const { capacity } = this;
    const isMine = this.#memory.isMine;
    const isLong = messageLength >= LONG_LENGTH && messageLength > this.available;
    if (this.start === this.end && isMine) this.start = this.end = 0;
    const isFull = this.start + messageLength > capacity || this.end >= capacity;
    if (!isMine || isFull || (isLong && this.available <= MOVED_LENGTH_MAX)) this.#moveToFront();
    const { bytes, length } = this.#memory;
    let limit = this.end >= capacity ? length : capacity;
    // Of what follows a long message no more than the next head: it would have to be moved to make room for its rest.
    if (isLong) limit = Math.min(limit, this.start + messageLength + REQUEST_LENGTH);
    return this.end === 0 && limit === length ? bytes : bytes.subarray(this.end, limit);
  }

  close(): void {
    this.#memory.release();
    this.start = this.end = 0;
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
