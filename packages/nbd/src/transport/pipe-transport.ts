import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Buffer } from "node:buffer";
import { CevError } from "@cev/core";
import { refuseUnknown } from "../known-keys.ts";
import type { Known } from "../known-keys.ts";
import { SocketTransport, socketTransport } from "./socket-transport.ts";
import type { Transport, TransportUser } from "./transport.ts";

/** Where a process that serves one client was given it: standard input and output, as inetd does it. */
export interface StreamFds {
  readonly inputFd: number;
  readonly outputFd: number;
}

/** A connected stream that a transport can be made of, once. */
export interface InheritedStream {
  /** Whether it can go over to TLS. */
  readonly isSocket: boolean;
  transport(user: TransportUser): Transport;
}

const FDS: Known<StreamFds> = { inputFd: true, outputFd: true };

/**
 * Takes over a socket that is both input and output, or two pipes. Throws `CEV_INVALID` for what is neither: a terminal or a
 * file is no client.
 */
export function inheritedStream(fds: StreamFds): InheritedStream {
  refuseUnknown(fds, FDS, "of a stream");
  const { inputFd, outputFd } = fds;
  const input = fstatSync(inputFd);
  const output = fstatSync(outputFd);
  if (input.isSocket() && input.ino === output.ino && input.dev === output.dev) {
    const socket = open(inputFd, { readable: true, writable: true });
    return { isSocket: true, transport: (user) => socketTransport(socket, user) };
  }
  const source = open(inputFd, { readable: true, writable: false });
  const target = open(outputFd, { readable: false, writable: true });
  return { isSocket: false, transport: (user) => new PipeTransport(source, target, user) };
}

function open(fd: number, ways: { readonly readable: boolean; readonly writable: boolean }): Socket {
  try {
    return new Socket({ fd, ...ways, allowHalfOpen: true }).pause();
  } catch (cause) {
    throw new CevError("CEV_INVALID", "it is neither a socket nor a pipe: there is no client at it", {
      source: `file descriptor ${fd}`,
      cause,
    });
  }
}

/** What comes from one pipe, and leaves by another. */
class PipeTransport implements Transport {
  readonly #input: Transport;
  readonly #output: Transport;
  readonly #user: TransportUser;
  #openCount = 2;
  #error: Error | null = null;

  constructor(source: Socket, target: Socket, user: TransportUser) {
    this.#user = user;
    // Who has sent all may still read: the end of the input alone closes nothing.
    let hasEnded = false;
    const closed = (error: Error | null): void => this.#oneClosed(error, true);
    this.#input = socketTransport(source, {
      receiveInto: () => user.receiveInto(),
      received: (length) => user.received(length),
      ended: () => {
        hasEnded = true;
        user.ended();
      },
      drained: () => undefined,
      closed: (error) => this.#oneClosed(error, error !== null || !hasEnded),
    });
    this.#output = new SocketTransport(target, {
      receiveInto: () => new Uint8Array(1),
      received: () => false,
      ended: () => undefined,
      drained: () => user.drained(),
      closed,
    });
  }

  get waitingLength(): number {
    return this.#output.waitingLength;
  }

  resume(): void {
    this.#input.resume();
  }

  pause(): void {
    this.#input.pause();
  }

  write(pieces: readonly Buffer[]): boolean {
    return this.#output.write(pieces);
  }

  end(): void {
    this.#output.end();
  }

  destroy(): void {
    this.#input.destroy();
    this.#output.destroy();
  }

  #oneClosed(error: Error | null, isAll: boolean): void {
    this.#error ??= error;
    this.#openCount--;
    if (this.#openCount === 0) this.#user.closed(this.#error);
    else if (isAll) this.destroy();
  }
}
