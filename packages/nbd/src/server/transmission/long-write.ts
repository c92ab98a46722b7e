import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import type { Request } from "./request.ts";

/** A write too long for the receive buffer: its data is received right into memory of its own. */
export class LongWrite {
  #request: Request | null = null;
  #filledLength = 0;
  // Whether the bytes that come next were promised its memory: it may have begun after that.
  #isPromised = false;

  /** The one of which a part is missing; null: none. */
  get request(): Request | null {
    return this.#request;
  }

  /** True while a part is missing. */
  get isPending(): boolean {
    return this.#request !== null;
  }

  begin(request: Request, filledLength: number): void {
    this.#request = request;
    this.#filledLength = filledLength;
  }

  /** Where the next bytes go, or null: not here. */
  room(): Uint8Array | null {
    const request = this.#request;
    this.#isPromised = request !== null;
    return request === null ? null : request.bytes.subarray(this.#filledLength, request.length);
  }

  /** So many bytes are there now, in its room or in the receive buffer. Returns the request when it is whole. */
  received(length: number, receive: ReceiveBuffer): Request | null {
    if (this.#isPromised) this.#filledLength += length;
    else receive.end += length;
    const request = this.#request;
    if (request === null) return null;
    const part = Math.min(request.length - this.#filledLength, receive.available);
    if (part > 0) {
      const { bytes } = receive.memory;
      request.bytes.set(bytes.subarray(receive.start, receive.start + part), this.#filledLength);
      receive.start += part;
      this.#filledLength += part;
    }
    return this.#filledLength === request.length ? this.abandon() : null;
  }

  /** Forgets it, and returns the request there was. */
  abandon(): Request | null {
    const request = this.#request;
    this.#request = null;
    return request;
  }
}
