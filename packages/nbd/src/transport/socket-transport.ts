import { Socket } from "node:net";
import type { Buffer } from "node:buffer";

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

/** A byte stream to a client. */
export interface Transport {
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
}

/** The inside of an accepted socket. Not documented, so everything about it is looked at before it is used. */
interface Handle {
  readonly useUserBuffer?: unknown;
}

/**
 * A transport over an accepted socket. Where the platform lets us, bytes are received right into the user's memory;
 * elsewhere they are copied there. `socket` has to be paused (`pauseOnConnect`).
 */
export function socketTransport(socket: Socket, user: TransportUser): Transport {
  return new SocketTransport(directSocket(socket, user) ?? copyingSocket(socket, user), user);
}

class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly #user: TransportUser;
  #isWaiting = false;
  #error: Error | null = null;
  readonly #written = (): void => {
    if (!this.#isWaiting || this.#socket.writableLength > 0) return;
    this.#isWaiting = false;
    if (!this.#socket.destroyed) this.#user.drained();
  };

  constructor(socket: Socket, user: TransportUser) {
    this.#socket = socket;
    this.#user = user;
    socket.on("end", () => user.ended());
    socket.on("error", (error) => (this.#error = error));
    socket.on("close", () => user.closed(this.#error));
  }

  resume(): void {
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  write(pieces: readonly Buffer[]): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return true;
    if (pieces.length === 1) {
      socket.write(pieces[0]!, this.#written);
    } else {
      socket.cork();
      for (const piece of pieces) socket.write(piece, this.#written);
      socket.uncork();
    }
    this.#isWaiting = socket.writableLength > 0;
    return !this.#isWaiting;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** The same connection as a socket that receives into the user's memory, or null where that cannot be had. */
function directSocket(socket: Socket, user: TransportUser): Socket | null {
  const inner = socket as unknown as { _handle?: Handle | null };
  const handle = inner._handle;
  if (typeof handle !== "object" || handle === null || typeof handle.useUserBuffer !== "function")
    return null;
  inner._handle = null;
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: () => user.receiveInto(),
      callback: (length: number) => user.received(length),
    },
  };
  return new Socket(options);
}

function copyingSocket(socket: Socket, user: TransportUser): Socket {
  socket.on("data", (chunk: Buffer) => {
    let isReady = true;
    for (let at = 0; at < chunk.length;) {
      if (!isReady) {
        // The user has had enough: the rest waits in the socket.
        socket.pause();
        socket.unshift(chunk.subarray(at));
        return;
      }
      const room = user.receiveInto();
      const part = chunk.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      isReady = user.received(part.length);
    }
    if (!isReady) socket.pause();
  });
  return socket;
}
