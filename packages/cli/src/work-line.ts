const SHOWN_AFTER_MS = 1000;
const COLUMNS = 80;
const CLEAR_LINE = "\r\u{1b}[K";

/** Says on a terminal what takes more than a second, in a line of standard error that goes away afterwards. */
export class WorkLine implements Disposable {
  readonly #stream: Pick<NodeJS.WriteStream, "isTTY" | "columns" | "write">;
  #timer: ReturnType<typeof setInterval> | null = null;
  #startMs = 0;
  #text = "";
  #isShown = false;

  constructor(stream: Pick<NodeJS.WriteStream, "isTTY" | "columns" | "write"> = process.stderr) {
    this.#stream = stream;
  }

  /** A work begins, or goes on in other words: the first sets the clock. */
  begin(text: string): void {
    if (!this.#stream.isTTY) return;
    this.#text = text;
    if (this.#timer === null) {
      this.#startMs = performance.now();
      this.#timer = setInterval(() => this.#show(), SHOWN_AFTER_MS);
    } else if (this.#isShown) this.#show();
  }

  /** It is done, or something else is to be shown. */
  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (this.#isShown) this.#stream.write(CLEAR_LINE);
    this.#isShown = false;
  }

  #show(): void {
    this.#isShown = true;
    const seconds = Math.floor((performance.now() - this.#startMs) / 1000);
    const { columns } = this.#stream;
    // A line that is broken in two could not be taken away. A terminal that does not know its width says 0.
    const line = `${this.#text} … ${seconds} s`.slice(0, (columns > 0 ? columns : COLUMNS) - 1);
    this.#stream.write(`${CLEAR_LINE}${line}`);
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
