import type { Socket } from "node:net";

/** Takes exact numbers of bytes from a socket. */
export class ByteReader {
  #held: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    socket.on("data", (bytes) => {
      this.#held = Buffer.concat([this.#held, bytes]);
      this.#wake?.();
    });
    const end = (): void => {
      this.#isEnded = true;
      this.#wake?.();
    };
    socket.on("close", end).on("end", end).on("error", end);
  }

  /** The next bytes; throws if the connection ends before they have come. */
  async take(length: number): Promise<Buffer> {
    while (this.#held.length < length) {
      if (this.#isEnded) throw new Error("the connection ended");
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    const bytes = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return bytes;
  }

  /** Waits for the other side to end the connection. */
  async untilEnd(): Promise<void> {
    while (!this.#isEnded) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}
