import { addAbortSignal } from "node:stream";
import { hostError } from "../host-error.ts";
import { KeyGatherer } from "./key-file.ts";
import type { KeyRange } from "./key-file.ts";

const NEWLINE = 0x0a;
const NAME = "standard input";

/** Keys on standard input where that is no terminal: line by line, or all of it. */
export class StandardInput implements Disposable {
  readonly #pieces: AsyncIterator<Uint8Array>;
  /** Read, and behind the end of the last line. */
  #rest: Uint8Array = new Uint8Array(0);

  /** Reading ends with an error when the signal aborts. */
  constructor(signal: AbortSignal | undefined) {
    const stream = signal === undefined ? process.stdin : addAbortSignal(signal, process.stdin);
    this.#pieces = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  }

  /** Up to a newline, which does not count, or to the end. The caller wipes it. */
  async readLine(): Promise<Uint8Array> {
    const gatherer = new KeyGatherer(NAME, {});
    try {
      for (;;) {
        const piece = await this.#next();
        if (piece === null) return gatherer.take();
        const end = piece.indexOf(NEWLINE);
        gatherer.add(end < 0 ? piece : piece.subarray(0, end));
        // A copy: a slice of a Buffer is the same memory.
        if (end >= 0) this.#rest = Uint8Array.from(piece.subarray(end + 1));
        piece.fill(0);
        if (end >= 0) return gatherer.take({ isLine: true });
      }
    } finally {
      gatherer.wipe();
    }
  }

  /** All that is left, byte for byte, or a part of it. The caller wipes it. `what`: what is expected there. */
  async readAll(range: KeyRange, what?: string): Promise<Uint8Array> {
    const gatherer = new KeyGatherer(NAME, range, what);
    try {
      for (;;) {
        const piece = await this.#next();
        if (piece === null) return gatherer.take();
        const isEnough = gatherer.add(piece);
        piece.fill(0);
        if (isEnough) return gatherer.take();
      }
    } finally {
      gatherer.wipe();
    }
  }

  /** Null: nothing more comes. */
  async #next(): Promise<Uint8Array | null> {
    if (this.#rest.length > 0) {
      const piece = this.#rest;
      this.#rest = new Uint8Array(0);
      return piece;
    }
    try {
      const next = await this.#pieces.next();
      return next.done === true ? null : next.value;
    } catch (error) {
      throw hostError(NAME, error);
    }
  }

  [Symbol.dispose](): void {
    this.#rest.fill(0);
    process.stdin.pause();
    // A pipe that nobody reads any more is no reason for the process to live. (A file is none anyway, and has no such method.)
    if ("unref" in process.stdin) process.stdin.unref();
  }
}
