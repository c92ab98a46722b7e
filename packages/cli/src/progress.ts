import cliProgress from "cli-progress";
import { sizeText } from "./sizes.ts";

/** How far a work is, on standard error: drawn on a terminal, or when it is asked for. */
export class Progress implements Disposable {
  readonly #bar: cliProgress.SingleBar | null;
  readonly #startMs = performance.now();
  readonly #start: number;
  readonly #total: number;
  #done: number;

  /** `start`: bytes that were done before. */
  constructor(label: string, total: number, isForced: boolean, start = 0) {
    this.#start = start;
    this.#total = total;
    this.#done = start;
    if (total <= 0 || !(isForced || process.stderr.isTTY)) {
      this.#bar = null;
      return;
    }
    this.#bar = new cliProgress.SingleBar({
      format: `${label} [{bar}] {percentage}% of ${sizeText(total)}{pace}`,
      barsize: 24,
      barCompleteChar: "#",
      barIncompleteChar: ".",
      hideCursor: true,
      stream: process.stderr,
      noTTYOutput: isForced,
      notTTYSchedule: 200,
    });
    this.#bar.start(total, start, { pace: "" });
  }

  /** Has something written below the line that is drawn; it goes on in a new one. */
  interruptWith(write: () => void): void {
    this.#bar?.stop();
    write();
    this.#bar?.start(this.#total, this.#done, { pace: this.#pace() });
  }

  add(length: number): void {
    this.to(this.#done + length);
  }

  /** So many bytes are done. */
  to(done: number): void {
    this.#done = done;
    this.#bar?.update(done, { pace: this.#pace() });
  }

  /** How fast it goes and how long it takes, once that is known. */
  #pace(): string {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const rate = (this.#done - this.#start) / seconds;
    if (!(rate > 0) || !Number.isFinite(rate)) return "";
    return `, ${sizeText(Math.round(rate))}/s, ${timeText((this.#total - this.#done) / rate)} left`;
  }

  [Symbol.dispose](): void {
    this.#bar?.stop();
  }
}

/** "3s", "2m05s", "7h20m". */
function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}
