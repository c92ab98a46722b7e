import type { Environment, Io, Layer } from "@cev/core";

interface Waiting {
  readonly dueMs: number;
  readonly io: Io;
  readonly lower: Layer;
}

/**
 * Delays requests so that there is something to watch: one at a time goes on, the one that is due first, and only when
 * the one before it has come back. The time by which they are due stands still in between: however busy the machine is, the order stays
 * the same.
 */
export class Pacer {
  readonly #environment: Environment;
  readonly #waiting: Waiting[] = [];
  #nowMs = 0;
  #isBusy = false;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Hands the request to the lower after this time or later. */
  submit(io: Io, lower: Layer, delayMs: number): void {
    this.#waiting.push({ dueMs: this.#nowMs + delayMs, io, lower });
    // All that come in one turn of the event loop are there before the first of them goes on.
    if (!this.#isBusy) this.#wakeLater();
  }

  #wakeLater(): void {
    this.#isBusy = true;
    this.#environment.later(() => {
      const [first] = this.#inOrder();
      if (first === undefined) this.#isBusy = false;
      else this.#environment.clock.after(first.dueMs - this.#nowMs, () => this.#goOn());
    });
  }

  #goOn(): void {
    const first = this.#inOrder().shift()!;
    this.#nowMs = first.dueMs;
    first.io.pushAction(cameBack, this);
    first.lower.submit(first.io);
  }

  #inOrder(): Waiting[] {
    return this.#waiting.sort((left, right) => left.dueMs - right.dueMs);
  }

  /** @internal */
  cameBack(): void {
    this.#wakeLater();
  }
}

function cameBack(_io: Io, pacer: Pacer): void {
  pacer.cameBack();
}
