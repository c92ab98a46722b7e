const HOUR_MS = 3_600_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls back for each SIGINT or SIGTERM, and for a closed terminal, with how many came so far, until disposed. Keeps the process alive meanwhile: a
 * request that is never answered would else let it end as if there were nothing left to do.
 */
export class Signals implements Disposable {
  #count = 0;
  readonly #alive = setInterval(() => undefined, HOUR_MS);
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor(onSignal: (signal: NodeJS.Signals, count: number) => void) {
    this.#listener = (signal) => {
      // A terminal that closes after Ctrl-C was pressed says nothing new.
      if (signal !== "SIGHUP" || this.#count === 0) onSignal(signal, ++this.#count);
    };
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#alive);
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}
