import type { FileRequest } from "./file-request.ts";

/** Requests in order of arrival. The array is reused. */
export class RequestQueue {
  readonly #requests: (FileRequest | null)[] = [];
  #head = 0;

  get length(): number {
    return this.#requests.length - this.#head;
  }

  push(request: FileRequest): void {
    this.#requests.push(request);
  }

  /** The oldest, which stays; null when empty. */
  first(): FileRequest | null {
    return this.#requests[this.#head] ?? null;
  }

  /** Takes the oldest out; null when empty. */
  shift(): FileRequest | null {
    const request = this.#requests[this.#head];
    if (request === undefined) return null;
    this.#requests[this.#head++] = null;
    if (this.#head === this.#requests.length) {
      this.#requests.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#requests.length) {
      // Half of it is behind us: moving the rest costs as much as was saved.
      this.#requests.copyWithin(0, this.#head);
      this.#requests.length -= this.#head;
      this.#head = 0;
    }
    return request;
  }
}
