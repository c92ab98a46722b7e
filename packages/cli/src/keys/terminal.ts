import { openSync } from "node:fs";
import { ReadStream, isatty } from "node:tty";
import { CevError } from "@cev/core";
import { LineBuffer } from "./line-buffer.ts";

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const CTRL_U = 0x15;
const CTRL_V = 0x16;
const CTRL_W = 0x17;
const CTRL_Z = 0x1a;
const CTRL_BACKSLASH = 0x1c;
const DELETE = 0x7f;

/** How a question is asked. */
export interface Question {
  /** Written to standard error. */
  readonly prompt: string;
  /** Nothing of the answer is shown. */
  readonly isHidden: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** A terminal, where somebody can be asked. */
export class Terminal implements Disposable {
  readonly #input: ReadStream;
  readonly #isOwn: boolean;
  /** What was typed ahead, behind the end of the last answer. */
  #ahead: Uint8Array = new Uint8Array(0);
  /** The next byte means itself. */
  #isQuoted = false;

  private constructor(input: ReadStream, isOwn: boolean) {
    this.#input = input;
    this.#isOwn = isOwn;
  }

  /** The terminal at standard input. Null: there is none. */
  static atInput(): Terminal | null {
    return isatty(0) && process.stdin instanceof ReadStream ? new Terminal(process.stdin, false) : null;
  }

  /** The terminal at standard input, or else the one that the process was started from. Null: there is none. */
  static anywhere(): Terminal | null {
    const atInput = Terminal.atInput();
    if (atInput !== null || process.platform === "win32") return atInput;
    try {
      return new Terminal(new ReadStream(openSync("/dev/tty", "r+")), true);
    } catch {
      return null;
    }
  }

  /**
   * Asks, and gives the bytes of one line, which the caller wipes. While the answer is hidden the terminal is in raw mode; it is as before
   * whatever ends or suspends this. What a terminal does with Backspace, Ctrl-U, -W, -V and -Z at other prompts is done at this one, too.
   * Throws `CEV_CANCELLED` for Ctrl-C, Ctrl-\, Ctrl-D on an empty line, an abort, and when the time is over.
   */
  async ask({ prompt, isHidden, signal, timeoutMs }: Question): Promise<Uint8Array> {
    signal?.throwIfAborted();
    // Whoever types as soon as the prompt is there must not see it.
    if (isHidden) this.#input.setRawMode(true);
    process.stderr.write(prompt);
    const line = new LineBuffer();
    let stop = (): void => undefined;
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const take = (bytes: Uint8Array): void => {
          try {
            if (this.#take(bytes, line)) resolve(line.take());
          } catch (error) {
            reject(error);
          }
        };
        const abort = (): void => {
          const reason: unknown = signal?.reason;
          reject(reason instanceof Error ? reason : cancelled("ended at the prompt"));
        };
        const end = (): void => reject(cancelled("the terminal is gone"));
        const goOn = (): void => {
          this.#hideAgain();
          process.stderr.write(prompt);
        };
        const timer =
          timeoutMs === undefined
            ? null
            : setTimeout(() => reject(cancelled("nobody answered in time")), timeoutMs);
        stop = () => {
          this.#input.off("data", take).off("end", end).off("error", end);
          signal?.removeEventListener("abort", abort);
          process.off("SIGCONT", goOn);
          if (timer !== null) clearTimeout(timer);
        };
        signal?.addEventListener("abort", abort);
        if (isHidden) process.on("SIGCONT", goOn);
        this.#input.on("end", end).on("error", end);
        const ahead = this.#ahead;
        this.#ahead = new Uint8Array(0);
        if (ahead.length > 0) take(ahead);
        this.#input.on("data", take);
        // One that was let go of before keeps the process alive again.
        this.#input.ref();
        this.#input.resume();
      });
    } finally {
      stop();
      this.#input.pause();
      line.wipe();
      this.#isQuoted = false;
      if (isHidden) {
        this.#input.setRawMode(false);
        process.stderr.write("\n");
      }
    }
  }

  /** Takes what was typed, and wipes it where it arrived. True: the line is at its end. */
  #take(bytes: Uint8Array, line: LineBuffer): boolean {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      bytes[at] = 0;
      if (this.#isQuoted) {
        this.#isQuoted = false;
        line.push(byte);
        continue;
      }
      if (byte === NEWLINE || byte === RETURN || (byte === CTRL_D && line.length > 0)) {
        // What is pasted may end its lines with both.
        const next = byte === RETURN && bytes[at + 1] === NEWLINE ? at + 2 : at + 1;
        // A copy: a slice of a Buffer is the same memory.
        this.#ahead = Uint8Array.from(bytes.subarray(next));
        bytes.fill(0);
        return true;
      }
      if (byte === CTRL_C || byte === CTRL_D || byte === CTRL_BACKSLASH)
        throw cancelled("ended at the prompt");
      if (byte === BACKSPACE || byte === DELETE) line.erase();
      else if (byte === CTRL_U) line.wipe();
      else if (byte === CTRL_W) line.eraseWord();
      else if (byte === CTRL_V) this.#isQuoted = true;
      else if (byte === CTRL_Z) this.#suspend();
      else line.push(byte);
    }
    return false;
  }

  /** Stops the process, and whatever it shares the line of a shell with, until the shell lets it go on. */
  #suspend(): void {
    if (process.platform === "win32") return;
    this.#input.setRawMode(false);
    process.kill(0, "SIGTSTP");
    // Where nobody could let it go on, the system has not stopped it.
    this.#input.setRawMode(true);
  }

  /** Whoever had the terminal meanwhile may have left it otherwise; what Node takes for unchanged it would not set. */
  #hideAgain(): void {
    this.#input.setRawMode(false);
    this.#input.setRawMode(true);
  }

  [Symbol.dispose](): void {
    this.#ahead.fill(0);
    this.#input.pause();
    if (this.#isOwn) this.#input.destroy();
    // A terminal that nobody asks any more is no reason for the process to live.
    else this.#input.unref();
  }
}

const cancelled = (message: string): CevError => new CevError("CEV_CANCELLED", message);
