import type { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { copyingSocket } from "./copying-socket.ts";
import type { Transport, TransportUser } from "./transport.ts";

/** The inside of a connected socket. Not documented, so everything about it is looked at before it is used. */
interface Handle {
  readonly useUserBuffer?: unknown;
  /** Bytes that the system has not yet taken, of a write that it has taken in part. */
  readonly writeQueueSize?: unknown;
}

/**
 * A transport over a connected socket. Where the platform lets us, bytes are received right into the user's memory;
 * elsewhere they are copied there. `socket` has to be paused since before it was connected (`pauseOnConnect`).
 */
export function socketTransport(socket: Socket, user: TransportUser): Transport {
  return new SocketTransport(directSocket(socket, user) ?? copyingSocket(socket, user), user);
}

/** A transport over a stream whose bytes reach the user already. */
export class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly #user: TransportUser;
  #isWaiting = false;
  #error: Error | null = null;
  readonly #onEnd = (): void => this.#user.ended();
  readonly #onError = (error: Error): void => {
    this.#error = error;
  };
  readonly #onClose = (): void => this.#user.closed(this.#error);
  readonly #written = (): void => {
    if (!this.#isWaiting || this.#socket.writableLength > 0) return;
    this.#isWaiting = false;
    if (!this.#socket.destroyed) this.#user.drained();
  };

  constructor(socket: Socket, user: TransportUser) {
    this.#socket = socket;
    this.#user = user;
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  get waitingLength(): number {
    const { writableLength } = this.#socket;
    if (writableLength === 0) return 0;
    // The parts of a long write leave one by one, and only the handle knows.
    const { _handle: handle } = this.#socket as unknown as { readonly _handle?: Handle | null };
    return typeof handle?.writeQueueSize === "number" ? handle.writeQueueSize : writableLength;
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

  detach(): Socket | null {
    const socket = this.#socket;
    // TLS within TLS is not what the protocol has.
    if ("encrypted" in socket) return null;
    socket.pause();
    socket.removeAllListeners("data");
    socket.off("end", this.#onEnd);
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
    return socket;
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
