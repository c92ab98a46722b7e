// A server that tears a read into more loose pieces than this is not followed.
const PIECES_MAX = 65_536;

/** Which parts of a read have come: they may come in any order, and each byte once. */
export class Scatter {
  #length = 0;
  /** From the beginning up to here all is there. */
  #coveredEnd = 0;
  /** Loose pieces behind that, by their starts: start, end, start, end … */
  #pieces: number[] = [];

  begin(length: number): void {
    this.#length = length;
    this.#coveredEnd = 0;
    if (this.#pieces.length > 0) this.#pieces = [];
  }

  /** Goes on where another one was. */
  takeFrom(other: Scatter): void {
    this.#length = other.#length;
    this.#coveredEnd = other.#coveredEnd;
    this.#pieces = other.#pieces;
    other.#pieces = [];
  }

  get isComplete(): boolean {
    return this.#coveredEnd === this.#length;
  }

  /** Bytes that are there from the beginning on, without a gap. */
  get coveredEnd(): number {
    return this.#coveredEnd;
  }

  /** One more part. False: it lies outside, or some of it is there already. */
  add(start: number, end: number): boolean {
    if (!(start >= this.#coveredEnd && start < end && end <= this.#length)) return false;
    const pieces = this.#pieces;
    if (pieces.length === 0) {
      if (start === this.#coveredEnd) this.#coveredEnd = end;
      else pieces.push(start, end);
      return true;
    }
    const index = this.#indexAfter(start);
    if (index > 0 && pieces[index - 1]! > start) return false;
    if (index < pieces.length && pieces[index]! < end) return false;
    if (start === this.#coveredEnd) {
      this.#coveredEnd = end;
      this.#joinFront();
      return true;
    }
    if (index === pieces.length) {
      if (pieces[index - 1] === start) pieces[index - 1] = end;
      else pieces.push(start, end);
    } else {
      pieces.splice(index, 0, start, end);
    }
    return pieces.length <= 2 * PIECES_MAX;
  }

  /** Where the first piece lies whose start is not before `start`. */
  #indexAfter(start: number): number {
    let low = 0;
    let high = this.#pieces.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pieces[2 * middle]! < start) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }

  #joinFront(): void {
    const pieces = this.#pieces;
    let at = 0;
    while (at < pieces.length && pieces[at] === this.#coveredEnd) {
      this.#coveredEnd = pieces[at + 1]!;
      at += 2;
    }
    if (at > 0) pieces.splice(0, at);
  }
}
