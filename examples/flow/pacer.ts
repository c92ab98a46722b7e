import type { Environment, Io, Layer } from "@cev/core";

interface Waiting {
  readonly dueMs: number;
  readonly io: Io;
  readonly lower: Layer;
}

/**
 * Delays requests so that there is something to watch: one at a time goes on, the one that is due first, and only when
 * the one before it has come back. However busy the machine is, the order stays the same.
 */
export class Pacer {
  readonly #environment: Environment;
  readonly #waiting: Waiting[] = [];
  #isBusy = false;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Hands the request to the lower after this time or a little later. */
  submit(io: Io, lower: Layer, delayMs: number): void {
    const { clock } = this.#environment;
    this.#waiting.push({ dueMs: clock.now() + delayMs, io, lower });
    this.#waiting.sort((left, right) => left.dueMs - right.dueMs);
    clock.after(delayMs, () => this.#next());
  }

  #next(): void {
    const [first] = this.#waiting;
    if (this.#isBusy || first === undefined) return;
    const early = first.dueMs - this.#environment.clock.now();
    // Timers count whole milliseconds, and may fire within the one before.
    if (early > 0) return void this.#environment.clock.after(Math.ceil(early), () => this.#next());
    this.#waiting.shift();
    this.#isBusy = true;
    first.io.pushAction(cameBack, this);
    first.lower.submit(first.io);
  }

  /** @internal */
  cameBack(): void {
    this.#environment.later(() => {
      this.#isBusy = false;
      this.#next();
    });
  }
}

function cameBack(_io: Io, pacer: Pacer): void {
  pacer.cameBack();
}
