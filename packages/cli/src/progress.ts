import cliProgress from "cli-progress";
import { sizeText } from "./sizes.ts";

/** How far a work is, on standard error: drawn on a terminal, or when it is asked for. */
export class Progress implements Disposable {
  readonly #bar: cliProgress.SingleBar | null;
  readonly #startMs = performance.now();
  readonly #start: number;
  #done: number;

  /** `start`: bytes that were done before. */
  constructor(label: string, total: number, isForced: boolean, start = 0) {
    this.#start = start;
    this.#done = start;
    if (total <= 0 || !(isForced || process.stderr.isTTY)) {
      this.#bar = null;
      return;
    }
    this.#bar = new cliProgress.SingleBar({
      format: `${label} [{bar}] {percentage}% of ${sizeText(total)}, {rate}/s, {eta_formatted} left`,
      barsize: 24,
      barCompleteChar: "#",
      barIncompleteChar: ".",
      hideCursor: true,
      etaBuffer: 50,
      stream: process.stderr,
      noTTYOutput: isForced,
      notTTYSchedule: 200,
    });
    this.#bar.start(total, start, { rate: sizeText(0) });
  }

  add(length: number): void {
    this.to(this.#done + length);
  }

  /** So many bytes are done. */
  to(done: number): void {
    this.#done = done;
    const seconds = Math.max((performance.now() - this.#startMs) / 1000, 0.001);
    this.#bar?.update(done, { rate: sizeText(Math.round((done - this.#start) / seconds)) });
  }

  [Symbol.dispose](): void {
    this.#bar?.stop();
  }
}
