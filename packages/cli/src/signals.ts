const HOUR_MS = 3_600_000;
/** One request to end may send more than one signal: timeout(1) sends its own to the process, and then to the group of it. */
const SAME_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls back for each SIGINT or SIGTERM, and for a closed terminal, with how many came so far, until disposed. What comes within
 * half a second is the same one. Keeps the process alive meanwhile: a request that is never answered would else let it end as if
 * there were nothing left to do.
 */
export class Signals implements Disposable {
  #count = 0;
  #lastMs = -Infinity;
  readonly #alive = setInterval(() => undefined, HOUR_MS);
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor(onSignal: (signal: NodeJS.Signals, count: number) => void) {
    this.#listener = (signal) => {
      const nowMs = performance.now();
      // A terminal that closes after Ctrl-C was pressed says nothing new.
      const isNew = signal === "SIGHUP" ? this.#count === 0 : nowMs - this.#lastMs > SAME_MS;
      if (!isNew) return;
      this.#lastMs = nowMs;
      onSignal(signal, ++this.#count);
    };
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#alive);
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}
