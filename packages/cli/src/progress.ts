import cliProgress from "cli-progress";
import { sizeText } from "./sizes.ts";

/** Where a copy is at, on standard error: drawn on a terminal, or when it is asked for. */
export class Progress implements Disposable {
  readonly #bar: cliProgress.SingleBar | null;
  readonly #startMs = performance.now();
  #done = 0;

  constructor(label: string, total: number, isForced: boolean) {
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
    this.#bar.start(total, 0, { rate: sizeText(0) });
  }

  add(length: number): void {
    this.#done += length;
    const seconds = Math.max((performance.now() - this.#startMs) / 1000, 0.001);
    this.#bar?.update(this.#done, { rate: sizeText(Math.round(this.#done / seconds)) });
  }

  [Symbol.dispose](): void {
    this.#bar?.stop();
  }
}
