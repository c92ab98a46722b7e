/** Who takes memory for requests, and waits for it. */
export interface BudgetUser {
  /** There may be room for it now: it tries again in a later turn, or leaves. */
  budgetHasRoom(): void;
}

/**
 * How much memory all connections of a server may keep busy together: what requests hold, and what connections have in any case.
 * Only requests are made to wait, first come first served: a long one is not overtaken by short ones for as long as those keep
 * coming. One is always let in where no other holds any memory, however long it is: so nobody waits for ever, and connections
 * that do nothing cannot use it all up.
 */
export class MemoryBudget {
  readonly bytesMax: number;
  #requestBytes = 0;
  #bufferBytes = 0;
  // In order of arrival.
  readonly #waiting = new Set<BudgetUser>();

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesTaken(): number {
    return this.#requestBytes + this.#bufferBytes;
  }

  /** True when somebody waits for what others hold. */
  get isWanted(): boolean {
    return this.#waiting.size > 0;
  }

  /** Takes memory for a request. False: there is no room, or others came before; `user` waits then, and is told when to try again. */
  tryTake(bytes: number, user: BudgetUser): boolean {
    const isNext = this.#waiting.size === 0 || this.#first() === user;
    if (!isNext || (this.#requestBytes > 0 && this.bytesTaken + bytes > this.bytesMax)) {
      this.#waiting.add(user);
      return false;
    }
    this.#requestBytes += bytes;
    this.leave(user);
    return true;
  }

  give(bytes: number): void {
    this.#requestBytes -= bytes;
    this.#tellFirst();
  }

  /** Gives back what was taken a moment ago, and of no use. Nobody is told: those to whom that could matter were told when it was taken. */
  undoTake(bytes: number): void {
    this.#requestBytes -= bytes;
  }

  /** Counts what a connection has in any case: its buffers, and the little that its only request needs. */
  takeBuffer(bytes: number): void {
    this.#bufferBytes += bytes;
  }

  giveBuffer(bytes: number): void {
    this.#bufferBytes -= bytes;
    this.#tellFirst();
  }

  /** It waits no longer, if it did. Whoever stood behind it is the next. */
  leave(user: BudgetUser): void {
    if (this.#waiting.size === 0) return;
    const wasNext = this.#first() === user;
    this.#waiting.delete(user);
    if (wasNext) this.#tellFirst();
  }

  #first(): BudgetUser | undefined {
    return this.#waiting.values().next().value;
  }

  #tellFirst(): void {
    if (this.#waiting.size > 0) this.#first()!.budgetHasRoom();
  }
}
