import type { PoolBuffer } from "@cev/core";
import type { WriteRequest } from "./write-request.ts";

/** Short writes of one burst, which are encrypted together into one buffer. Used again and again. */
export class WriteGroup {
  readonly requests: WriteRequest[] = [];
  /** Bytes of all of them. */
  length = 0;
  #pendingCount = 0;

  add(request: WriteRequest): void {
    this.requests.push(request);
    this.length += request.length;
  }

  /** False: it is not here. */
  remove(request: WriteRequest): boolean {
    const index = this.requests.indexOf(request);
    if (index < 0) return false;
    this.requests.splice(index, 1);
    this.length -= request.length;
    return true;
  }

  /** The ciphertext of all of them is in this buffer from now on. */
  share(buffer: PoolBuffer): void {
    this.#pendingCount = this.requests.length;
    for (const request of this.requests) {
      request.buffer = buffer;
      request.group = this;
    }
  }

  /** One of them has ended. True: it was the last, and nobody uses the buffer any more. */
  leave(): boolean {
    return --this.#pendingCount === 0;
  }

  clear(): void {
    this.requests.length = 0;
    this.length = 0;
  }
}
