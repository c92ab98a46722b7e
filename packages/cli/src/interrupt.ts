import { CevError } from "@cev/core";
import { ExitStatus } from "./exit-status.ts";
import { Signals } from "./signals.ts";

/** Turns the first SIGINT or SIGTERM into an abort signal; a second one ends the process at once. */
export class Interrupt implements Disposable {
  readonly #abort = new AbortController();
  readonly #signals: Signals;

  constructor() {
    this.#signals = new Signals((signal, count) => {
      if (count > 1) process.exit(ExitStatus.failed);
      this.#abort.abort(new CevError("CEV_CANCELLED", `ended by ${signal}`));
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    this.#signals[Symbol.dispose]();
  }
}
