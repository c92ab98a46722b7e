import type { CryptProgress } from "@cev/crypt";

const WORDS: Readonly<Record<CryptProgress["step"], string>> = {
  measure: "measuring what deriving a key costs here",
  derive: "deriving the key",
  wipe: "overwriting what was there",
  write: "writing",
};
const SHOWN_AFTER_MS = 1000;

/** Says on a terminal what takes more than a second, in a line that goes away afterwards. */
export class WorkLine implements Disposable {
  readonly #startMs = performance.now();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #text = "";
  #isShown = false;

  update({ step, done, total }: CryptProgress): void {
    if (!process.stderr.isTTY) return;
    const share = total > 1 && done > 0 ? ` ${Math.floor((100 * done) / total)}%` : "";
    this.#text = `${WORDS[step]}${share} …`;
    const leftMs = SHOWN_AFTER_MS - (performance.now() - this.#startMs);
    if (leftMs <= 0) this.#show();
    else this.#timer ??= setTimeout(() => this.#show(), leftMs);
  }

  #show(): void {
    this.#isShown = true;
    process.stderr.write(`\r\u{1b}[K${this.#text}`);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isShown) process.stderr.write("\r\u{1b}[K");
    this.#isShown = false;
  }
}
