import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** What a transport tells its connection. */
export interface TransportUser {
  /** Memory for the next bytes; not empty. */
  receiveInto(): Uint8Array;
  /** So many bytes were received into it. False: no more until `resume`. */
  received(length: number): boolean;
  /** The other side will send no more. */
  ended(): void;
  /** All that was handed over has left. After a `write` that returned false. */
  drained(): void;
  /** Nothing comes and nothing leaves any more. Once. */
  closed(error: Error | null): void;
}

/** A byte stream to the other side. Nothing is received before the first `resume`. */
export interface Transport {
  /** Bytes that were handed over and have not left. */
  readonly waitingLength: number;
  resume(): void;
  pause(): void;
  /**
   * Sends in one system call if possible. True: all has left, and the memory is free again; false: it is in use until
   * `drained`, and nothing may be written before that.
   */
  write(pieces: readonly Buffer[]): boolean;
  /** Sends what was handed over, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  /**
   * Gives the socket away, paused; the user is told nothing any more. All that was written has to have left, and the call
   * must not come from within `received`. Null: this stream cannot be given away.
   */
  detach?(): Socket | null;
}
