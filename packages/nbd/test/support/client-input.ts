import { Buffer } from "node:buffer";
import { CLIENT_FLAGS_LENGTH, HeaderStyle, OPTION_HEADER_LENGTH } from "../../src/protocol/numbers.ts";
import { decodeOptionHead } from "../../src/protocol/option.ts";
import {
  decodeRequestHead,
  newRequestHead,
  payloadLengthOf,
  requestLength,
} from "../../src/protocol/request-head.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";

type ClientMessage =
  | { readonly kind: "flags" }
  | { readonly kind: "option"; readonly option: number }
  | { readonly kind: "request"; readonly head: RequestHead; readonly payload: Buffer };

/** What a client sends, cut into messages as a server would. */
export class ClientInput {
  /** What comes next; the flags lead to the options by themselves. */
  phase: "flags" | "options" | "transmission" = "flags";
  /** Of requests, as the options settle it. */
  style: HeaderStyle = HeaderStyle.simple;
  #bytes: Buffer = Buffer.alloc(0);

  push(...pieces: readonly Buffer[]): void {
    this.#bytes = Buffer.concat([this.#bytes, ...pieces]);
  }

  /** The next message; null: it is not all there yet. */
  next(): ClientMessage | null {
    const bytes = this.#bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.phase === "flags") {
      if (bytes.length < CLIENT_FLAGS_LENGTH) return null;
      this.phase = "options";
      this.#take(CLIENT_FLAGS_LENGTH);
      return { kind: "flags" };
    }
    if (this.phase === "options") {
      if (bytes.length < OPTION_HEADER_LENGTH) return null;
      const head = decodeOptionHead(view, 0);
      if (head === null) throw new Error("no option");
      if (bytes.length < OPTION_HEADER_LENGTH + head.dataLength) return null;
      this.#take(OPTION_HEADER_LENGTH + head.dataLength);
      return { kind: "option", option: head.option };
    }
    const length = requestLength(this.style);
    if (bytes.length < length) return null;
    const head = newRequestHead();
    decodeRequestHead(view, 0, this.style, head);
    const payloadLength = payloadLengthOf(this.style, head);
    if (bytes.length < length + payloadLength) return null;
    this.#take(length + payloadLength);
    return { kind: "request", head, payload: bytes.subarray(length, length + payloadLength) };
  }

  #take(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
  }
}
