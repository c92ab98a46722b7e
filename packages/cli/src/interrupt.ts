import { CevError } from "@cev/core";
import { complain } from "./output.ts";
import { Signals } from "./signals.ts";

/** Turns the first SIGINT or SIGTERM into an abort signal; a second one ends the process at once. */
export class Interrupt implements Disposable {
  readonly #abort = new AbortController();
  readonly #signals: Signals;

  constructor() {
    this.#signals = new Signals((signal, count) => {
      if (count > 1) this.#endBy(signal);
      this.#abort.abort(new CevError("CEV_CANCELLED", `ended by ${signal}`));
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Dies of the signal. To exit, Node would wait for calls that are under way in the system, which may never end. */
  #endBy(signal: NodeJS.Signals): void {
    complain(`ended by ${signal} before everything was closed`);
    this[Symbol.dispose]();
    process.kill(process.pid, signal);
  }

  [Symbol.dispose](): void {
    this.#signals[Symbol.dispose]();
  }
}
