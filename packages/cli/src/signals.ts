const HOUR_MS = 3_600_000;

/**
 * Calls back for each SIGINT or SIGTERM, with how many came so far, until disposed. Keeps the process alive meanwhile: a
 * request that is never answered would else let it end as if there were nothing left to do.
 */
export class Signals implements Disposable {
  #count = 0;
  readonly #alive = setInterval(() => undefined, HOUR_MS);
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor(onSignal: (signal: NodeJS.Signals, count: number) => void) {
    this.#listener = (signal) => onSignal(signal, ++this.#count);
    process.on("SIGINT", this.#listener);
    process.on("SIGTERM", this.#listener);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#alive);
    process.off("SIGINT", this.#listener);
    process.off("SIGTERM", this.#listener);
  }
}
