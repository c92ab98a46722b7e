// After this many in a row a device that once answered late is taken to answer at once again.
const SCORE_MAX = 8;

/** Guesses from a device's last answers whether it will complete the next request before `submit` returns. */
export class AtOnceGuess {
  #score = 0;

  get isLikely(): boolean {
    return this.#score > 0;
  }

  noteAtOnce(): void {
    if (this.#score < SCORE_MAX) this.#score++;
  }

  noteLater(): void {
    this.#score = -SCORE_MAX;
  }
}
