import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import type { Environment } from "@cev/core";
import type { ConformanceTarget, ConformanceTls } from "./target.ts";
import { TlsAttempt } from "./tls-attempt.ts";
import { tlsOptions } from "./tls-options.ts";
import { Transcript } from "./transcript.ts";
import { ConnectionEnded, demand, notApplicable, Unreachable, Violation } from "./violation.ts";

/** How long one answer is waited for, in milliseconds. */
export interface WireOptions {
  readonly environment: Environment;
  readonly timeoutMs: number;
  /** Ends the connection when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that are read ahead of what is asked for: more stays with the system, and so with the server. */
const AHEAD_MAX = 1_048_576;
/** Bytes after the last message that was sent: twice the longest answer of the suite, and room. */
const ANSWER_BYTES_MAX = 160_000_000;
/** An answer that has begun may take so many times as long as is waited for one of its pieces. */
const ANSWER_TIMES = 12;

/**
 * One connection, as bytes: it knows nothing of messages, so whatever a server sends can be looked at. Nothing that is sent
 * fails: what became of it is seen in what the server does then.
 */
export class Wire {
  readonly transcript: Transcript = new Transcript();
  readonly #options: WireOptions;
  #socket: Socket;
  #chunks: Buffer[] = [];
  #byteCount = 0;
  #hasEnded = false;
  /** Of the message that is waited for. */
  #wantedCount = 0;
  /** Reading has stopped, since more came than is asked for; or because a check wants it so. */
  #isHeld = false;
  #isPaused = false;
  /** What comes is of no interest any more. */
  #isDiscarding = false;
  #answerBytes = 0;
  #answerStart = 0;
  #tlsProtocol: string | null = null;
  #wake: (() => void) | null = null;
  readonly #onAbort = (): void => this.destroy();

  private constructor(socket: Socket, options: WireOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#answerStart = options.environment.clock.now();
    this.#listen(socket);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Connects. Throws `Unreachable`, or why `options.signal` was aborted. */
  static async open(target: ConformanceTarget, options: WireOptions): Promise<Wire> {
    options.signal?.throwIfAborted();
    const wire = await Wire.#connect(target, options);
    if (options.signal?.aborted !== true) return wire;
    wire.destroy();
    throw options.signal.reason;
  }

  static #connect(target: ConformanceTarget, options: WireOptions): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const { address } = target;
      const socket = connect({ ...address, noDelay: true, allowHalfOpen: true });
      const timer = options.environment.clock.after(options.timeoutMs, () => {
        socket.destroy();
        reject(new Unreachable("the connection was not taken in time"));
      });
      const onError = (error: Error): void => {
        timer.cancel();
        reject(new Unreachable(error.message));
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        timer.cancel();
        socket.off("error", onError);
        resolve(new Wire(socket, options));
      });
    });
  }

  send(bytes: Uint8Array, what: string): void {
    this.transcript.sent(what, bytes);
    this.#answerBegins();
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Sends the bytes one by one, each in a packet of its own. */
  async sendPieces(bytes: Uint8Array, pieceLength: number, what: string): Promise<void> {
    this.transcript.sent(`${what}, in pieces of ${pieceLength}`, bytes);
    this.#answerBegins();
    for (let at = 0; at < bytes.length && this.#socket.writable; at += pieceLength) {
      this.#socket.write(bytes.subarray(at, at + pieceLength));
      await this.turn();
    }
  }

  /** Lets a turn of the event loop go by. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#options.environment.later(resolve));
  }

  /** The next bytes. A `Violation` when they do not come. */
  async take(length: number, what: string): Promise<Buffer> {
    const bytes = await this.takeUnlessEnded(length, what);
    if (bytes === null) {
      throw new ConnectionEnded(
        `the server closed the connection where ${what} had to come${this.#byteCount > 0 ? `; ${this.#byteCount} bytes came` : ""}`,
      );
    }
    return bytes;
  }

  /** The next bytes; null when the server closes the connection instead. */
  async takeUnlessEnded(length: number, what: string): Promise<Buffer | null> {
    this.#wantedCount = length;
    this.#goOn();
    const isThere = await this.#until(() => this.#byteCount >= length || this.#hasEnded);
    this.#wantedCount = 0;
    demand(
      this.#answerBytes <= ANSWER_BYTES_MAX,
      `the server has sent ${this.#answerBytes} bytes, and has not come to an end, where ${what} had to come`,
    );
    if (this.#byteCount >= length) {
      const bytes = this.#cut(length);
      this.transcript.received(what, bytes);
      return bytes;
    }
    if (!isThere) {
      const came = this.#byteCount > 0 ? `, ${this.#byteCount} of ${length} bytes came` : "";
      const { timeoutMs } = this.#options;
      const time = this.#answerTimeLeft() > 0 ? timeoutMs : timeoutMs * ANSWER_TIMES;
      throw new Violation(`no answer within ${time} ms where ${what} had to come${came}`);
    }
    this.transcript.note("the server closed the connection");
    return null;
  }

  /** Demands that the server closes the connection and sends nothing more. */
  async expectEnd(why: string): Promise<void> {
    await this.#until(() => this.#byteCount > 0 || this.#hasEnded);
    if (this.#byteCount > 0) {
      const bytes = this.#cut(Math.min(this.#byteCount, 64));
      this.transcript.received("unexpected bytes", bytes);
      throw new Violation(`the server went on talking ${why}`);
    }
    demand(this.#hasEnded, `the server did not close the connection ${why}`);
    this.transcript.note("the server closed the connection");
  }

  /** Waits until the server has closed the connection, whatever it still sends. */
  async drain(why: string): Promise<void> {
    this.#discard();
    await this.#until(() => this.#hasEnded);
    demand(this.#hasEnded, `the server did not close the connection ${why}`);
  }

  /** Stops reading, so that what the server sends fills its own buffers. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  /** Bytes that are sent and not yet with the system. */
  get unsentCount(): number {
    return this.#socket.writableLength;
  }

  /** Bytes that came and were not taken. */
  get unreadCount(): number {
    return this.#byteCount;
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.transcript.note("the client sends no more");
    this.#socket.end();
  }

  /** Goes away, and waits until the server has done so, too, for servers that take one client at a time. */
  async close(): Promise<void> {
    this.#socket.end();
    this.#discard();
    await this.#until(() => this.#hasEnded, 250);
    this.#socket.destroy();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  /** Goes away without a word. */
  destroy(): void {
    this.transcript.note("the client drops the connection");
    this.#socket.destroy();
    this.#hasEnded = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#wake?.();
  }

  /** Goes on in TLS. Rejects with what TLS said. */
  upgrade(tls: ConformanceTls, changes: ConnectionOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const plain = this.#socket;
      plain.removeAllListeners("data");
      const secure = connectTls({ socket: plain, ...tlsOptions(tls), ...changes });
      const timer = this.#options.environment.clock.after(this.#options.timeoutMs, () => {
        secure.destroy();
        reject(new Error("the TLS handshake did not end in time"));
      });
      secure.once("secureConnect", () => {
        timer.cancel();
        this.transcript.note(`TLS: ${secure.getProtocol() ?? ""} ${secure.getCipher().name}`);
        this.#tlsProtocol = secure.getProtocol();
        this.#socket = secure;
        this.#listen(secure);
        resolve();
      });
      secure.on("error", (error: Error) => {
        timer.cancel();
        this.transcript.note(`TLS: ${error.message}`);
        reject(error);
      });
      secure.once("close", () => {
        timer.cancel();
        reject(new Error("the server closed the connection during the TLS handshake"));
      });
    });
  }

  /**
   * Tries TLS in a way that has to fail, and demands that the server closes the connection, whatever TLS says of it on this
   * side. `probe` is sent where it does not fail here.
   */
  async expectTlsRefused(
    tls: ConformanceTls,
    changes: ConnectionOptions,
    { probe, what }: { readonly probe: Uint8Array; readonly what: string },
  ): Promise<void> {
    const socket = this.#socket;
    socket.removeAllListeners("data");
    const attempt = new TlsAttempt(socket, {
      options: { ...tlsOptions(tls), ...changes },
      probe,
      onChange: () => this.#wake?.(),
    });
    try {
      await this.#until(() => this.#hasEnded || attempt.isAnswered || attempt.hasFailedUnheard);
      if (attempt.error !== null) this.transcript.note(`TLS: ${attempt.error.message}`);
      demand(!attempt.isAnswered, `the server went on after ${what}`);
      if (attempt.hasFailedUnheard) notApplicable(`this side cannot try it: ${attempt.error?.message}`);
      demand(this.#hasEnded, `the server did not close the connection after ${what}`);
      this.transcript.note("the server closed the connection");
    } finally {
      attempt.end();
    }
  }

  /** The version of TLS in use, such as "TLSv1.3". */
  get tlsProtocol(): string | null {
    return this.#tlsProtocol;
  }

  #listen(socket: Socket): void {
    socket.on("data", (bytes: Buffer) => {
      this.#answerBytes += bytes.length;
      if (this.#isDiscarding) return;
      this.#chunks.push(bytes);
      this.#byteCount += bytes.length;
      if (this.#byteCount >= this.#wantedCount + AHEAD_MAX) {
        this.#isHeld = true;
        socket.pause();
      }
      this.#wake?.();
    });
    const onEnd = (): void => {
      this.#hasEnded = true;
      this.#wake?.();
    };
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    // A reset is an end as well: the server is free to close with our bytes unread.
    socket.on("error", (error) => {
      this.transcript.note(error.message);
      onEnd();
    });
  }

  #answerBegins(): void {
    this.#answerBytes = 0;
    this.#answerStart = this.#options.environment.clock.now();
  }

  /** Milliseconds. */
  #answerTimeLeft(): number {
    const { environment, timeoutMs } = this.#options;
    return this.#answerStart + timeoutMs * ANSWER_TIMES - environment.clock.now();
  }

  /** Reads again. */
  #goOn(): void {
    if (!this.#isHeld || this.#isPaused || this.#byteCount >= this.#wantedCount + AHEAD_MAX) return;
    this.#isHeld = false;
    this.#socket.resume();
  }

  #discard(): void {
    this.#isDiscarding = true;
    this.#chunks = [];
    this.#byteCount = 0;
    this.#socket.resume();
  }

  #cut(length: number): Buffer {
    const first = this.#chunks[0];
    let bytes: Buffer;
    if (first !== undefined && first.length > length) {
      bytes = first.subarray(0, length);
      this.#chunks[0] = first.subarray(length);
    } else {
      const all = this.#chunks.length === 1 ? first! : Buffer.concat(this.#chunks);
      bytes = all.subarray(0, length);
      this.#chunks = all.length > length ? [all.subarray(length)] : [];
    }
    this.#byteCount -= length;
    return bytes;
  }

  /** False when it took too long. */
  async #until(isDone: () => boolean, timeoutMs: number = this.#options.timeoutMs): Promise<boolean> {
    if (isDone()) return true;
    let isLate = false;
    const longest = Math.min(timeoutMs, Math.max(1, this.#answerTimeLeft()));
    const timer = this.#options.environment.clock.after(longest, () => {
      isLate = true;
      this.#wake?.();
    });
    try {
      while (!isDone()) {
        if (isLate) return false;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      return true;
    } finally {
      this.#wake = null;
      timer.cancel();
    }
  }
}
