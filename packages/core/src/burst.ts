/** Who keeps requests until a burst ends. */
export interface BurstUser {
  /** The burst is over: what was kept goes on now. Never throws. */
  burstEnded(): void;
}

/**
 * Requests that come in one go. Whoever is about to submit several in a row says so with `begin` and `end`; a layer to which several
 * together are cheaper than one by one may keep them until the end, and only then. A burst lasts no longer than one turn of the event loop.
 */
export class Burst {
  #depth = 0;
  readonly #users: BurstUser[] = [];

  /** True while more requests are about to come in this turn. */
  get isOn(): boolean {
    return this.#depth > 0;
  }

  begin(): void {
    this.#depth++;
  }

  end(): void {
    if (--this.#depth > 0) return;
    // What these cause is not part of the burst: nothing more is kept meanwhile, unless another one begins.
    while (this.#depth === 0 && this.#users.length > 0) this.#users.pop()!.burstEnded();
  }

  /** Is told when the burst that is on ends. Once per call. */
  atEnd(user: BurstUser): void {
    this.#users.push(user);
  }
}
