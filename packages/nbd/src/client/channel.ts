import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { CevError } from "@cev/core";
import type { Environment, PoolBuffer, Timer } from "@cev/core";
import type { Transport, TransportUser } from "../transport/transport.ts";

const RECEIVE_LENGTH = 262_144;
// So long a server may take to close after the good-bye.
const LINGER_MS = 2000;

/** Who reads a channel: first the handshake, then the transmission. */
export interface ChannelUser {
  /** There are more bytes from `start` to `end`. */
  arrived(): void;
  /** Memory of a request to receive into, past the channel's own; null: none. Only asked for while nothing is left unread. */
  directRoom(): Uint8Array | null;
  /** So many bytes were received into it. */
  arrivedDirectly(length: number): void;
  /** What was written has left. */
  drained(): void;
  /** Nothing comes and nothing leaves any more, and no memory is in use. Once. */
  closed(error: CevError): void;
}

/** A byte stream to a server, with what has been received of it and not yet been used. */
export class Channel implements TransportUser {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Unused bytes lie from `start` to `end`. */
  start = 0;
  end = 0;
  #transport: Transport | null = null;
  /** Between two transports: while TLS begins. */
  #givenAway: Socket | null = null;
  #user: ChannelUser | null = null;
  #isDirect = false;
  #isClosed = false;
  #reason: CevError | null = null;
  readonly #lent: PoolBuffer | null;
  readonly #environment: Environment;
  #linger: Timer | null = null;

  constructor(environment: Environment) {
    const { buffers } = environment;
    const length = Math.min(RECEIVE_LENGTH, buffers.bufferLengthMax);
    this.#environment = environment;
    this.#lent = buffers.tryAcquire(length);
    this.bytes = this.#lent?.bytes ?? new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  get available(): number {
    return this.end - this.start;
  }

  /** True from the wish to close it on. */
  get isClosed(): boolean {
    return this.#isClosed || this.#reason !== null;
  }

  /** What bytes go through: for the second time after TLS has begun. */
  carryBy(transport: Transport): void {
    this.#givenAway = null;
    this.#transport = transport;
    // Whoever wanted to close it meanwhile has been told already that it is.
    if (this.isClosed) transport.destroy();
    else transport.resume();
  }

  /** Gives the socket away, for TLS; null: that cannot be had. */
  giveAway(): Socket | null {
    const socket = this.#transport?.detach?.() ?? null;
    if (socket !== null) this.#transport = null;
    this.#givenAway = socket;
    return socket;
  }

  /** Who is told from now on. */
  handTo(user: ChannelUser): void {
    this.#user = user;
  }

  /** True: all has left; false: the memory is in use until `drained`. */
  write(pieces: readonly Buffer[]): boolean {
    return this.#transport?.write(pieces) ?? true;
  }

  /** Sends what was handed over, then closes; at once, if the other side does not within a moment. */
  finish(): void {
    if (this.isClosed) return;
    this.closeSoon();
    this.#transport?.end();
  }

  /** It is closed after a moment, if it is not before. */
  closeSoon(): void {
    this.#linger ??= this.#environment.clock.after(LINGER_MS, () =>
      this.destroy(new CevError("CEV_TIMED_OUT", "the server did not close")),
    );
  }

  /** Closes at once. `closed` tells this reason. */
  destroy(reason: CevError): void {
    this.#reason ??= reason;
    if (this.#transport !== null) return this.#transport.destroy();
    // Whoever connects, or begins TLS, closes what comes of it.
    this.#givenAway?.destroy();
    this.closed(null);
  }

  receiveInto(): Uint8Array {
    if (this.start === this.end) {
      this.start = this.end = 0;
      const room = this.#user?.directRoom() ?? null;
      this.#isDirect = room !== null;
      if (room !== null) return room;
    } else {
      this.#isDirect = false;
      if (this.start > 0) {
        this.bytes.copyWithin(0, this.start, this.end);
        this.end -= this.start;
        this.start = 0;
      }
    }
    if (this.end === this.bytes.length) return this.#overflow();
    return this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
  }

  received(length: number): boolean {
    if (this.#isClosed || this.#reason !== null) return false;
    if (this.#isDirect) {
      this.#user?.arrivedDirectly(length);
    } else {
      this.end += length;
      this.#user?.arrived();
    }
    return true;
  }

  ended(): void {
    this.destroy(new CevError("CEV_DEVICE_LOST", "the server closed the connection"));
  }

  drained(): void {
    this.#user?.drained();
  }

  /** Whoever reads takes every message as soon as it is whole, and none is that long. */
  #overflow(): Uint8Array {
    this.destroy(new CevError("CEV_PROTOCOL", "the server sends more than was asked for"));
    return new Uint8Array(1024);
  }

  closed(cause: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#linger?.cancel();
    if (this.#lent !== null) this.#environment.buffers.release(this.#lent);
    const message =
      cause === null ? "the connection was closed" : `the connection was lost: ${cause.message}`;
    this.#user?.closed(
      this.#reason ?? new CevError("CEV_DEVICE_LOST", message, cause === null ? {} : { cause }),
    );
  }
}

/** A view of memory as sockets take it. */
export function bufferOf(data: Uint8Array, offset: number, length: number): Buffer {
  return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset + offset, length);
}
