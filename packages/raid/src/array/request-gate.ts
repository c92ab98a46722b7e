import type { Io } from "@cev/core";

/** Counts the requests under way, and can keep new ones back while the array is changed. */
export class RequestGate {
  /** Of the layer, for those who watch. */
  readonly name: string;
  readonly #submit: (io: Io) => void;
  #inFlightCount = 0;
  #serial = 0;
  /** Requests kept back; null: all are let through. */
  #held: Io[] | null = null;
  #onEmpty: (() => void) | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** `submit`: where requests go that are let through. */
  constructor(name: string, submit: (io: Io) => void) {
    this.name = name;
    this.#submit = submit;
  }

  /** How many have come in so far. */
  get serial(): number {
    return this.#serial;
  }

  /** A request comes in. */
  enter(io: Io): void {
    this.#serial++;
    if (this.#held !== null) {
      this.#held.push(io);
      return;
    }
    this.#inFlightCount++;
    io.pushAction(leaveArray, this);
    this.#submit(io);
  }

  /** @internal */
  left(): void {
    if (--this.#inFlightCount === 0) this.#onEmpty?.();
  }

  /** Runs `change` when no request is under way and none is let through; one change at a time. */
  quiesce(change: () => void): Promise<void> {
    const turn = this.#last.then(() => this.#quiesce(change));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #quiesce(change: () => void): Promise<void> {
    const held: Io[] = [];
    this.#held = held;
    try {
      if (this.#inFlightCount > 0) await new Promise<void>((resolve) => void (this.#onEmpty = resolve));
      this.#onEmpty = null;
      change();
    } finally {
      this.#held = null;
      for (const io of held) {
        this.#serial--;
        this.enter(io);
      }
    }
  }
}

function leaveArray(_io: Io, gate: RequestGate): void {
  gate.left();
}
