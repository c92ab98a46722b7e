import type { Environment, Timer } from "@cev/core";

/** Finds out that nothing comes any more. */
export class AnswerWatch {
  readonly #environment: Environment;
  readonly #timeoutMs: number;
  /** True while something is under way. */
  readonly #isBusy: () => boolean;
  readonly #silent: () => void;
  #heardCount = 0;
  #timer: Timer | null = null;

  /** `timeoutMs` 0: nobody watches. */
  constructor(environment: Environment, timeoutMs: number, isBusy: () => boolean, silent: () => void) {
    this.#environment = environment;
    this.#timeoutMs = timeoutMs;
    this.#isBusy = isBusy;
    this.#silent = silent;
  }

  /** Something came of an answer. */
  heard(): void {
    this.#heardCount++;
  }

  /** Something was sent. */
  start(): void {
    if (this.#timeoutMs === 0 || this.#timer !== null) return;
    const before = this.#heardCount;
    this.#timer = this.#environment.clock.after(this.#timeoutMs, () => {
      this.#timer = null;
      if (!this.#isBusy()) return;
      if (this.#heardCount === before) this.#silent();
      else this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
