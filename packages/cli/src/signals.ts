/** Calls back for each SIGINT or SIGTERM, with how many came so far, until disposed. */
export class Signals implements Disposable {
  #count = 0;
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor(onSignal: (signal: NodeJS.Signals, count: number) => void) {
    this.#listener = (signal) => onSignal(signal, ++this.#count);
    process.on("SIGINT", this.#listener);
    process.on("SIGTERM", this.#listener);
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#listener);
    process.off("SIGTERM", this.#listener);
  }
}
