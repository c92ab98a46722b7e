/** Random numbers from a seed: the same seed gives the same numbers everywhere. Not for secrets. */
export class Random {
  readonly seed: number;
  // Three words and a counter; in an array, since numbers of 32 bits in fields are allocated anew each time.
  readonly #state = new Int32Array(4);

  constructor(seed: number) {
    this.seed = seed;
    // The small fast counting generator: three words of state and a counter, warmed up for twelve rounds.
    this.#state[1] = Math.floor(seed / 2 ** 32) | 0;
    this.#state[2] = seed | 0;
    this.#state[3] = 1;
    for (let round = 0; round < 12; round++) this.next();
  }

  /** A whole number from 0 to 2^32 - 1. */
  next(): number {
    const state = this.#state;
    const b = state[1]!;
    const c = state[2]!;
    const counter = state[3]!;
    const sum = (state[0]! + b + counter) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = ((c << 21) | (c >>> 11)) + sum;
    state[3] = counter + 1;
    return sum >>> 0;
  }

  /** A whole number from 0 to `end` - 1. */
  below(end: number): number {
    return end <= 2 ** 32
      ? Math.floor((this.next() / 2 ** 32) * end)
      : Math.floor(((this.next() * 2 ** 21 + (this.next() >>> 11)) / 2 ** 53) * end);
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  /** One of the values. Precondition: there is one. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** The values in random order. */
  shuffled<T>(values: readonly T[]): T[] {
    const result = [...values];
    for (let index = result.length - 1; index > 0; index--) {
      const other = this.below(index + 1);
      [result[index], result[other]] = [result[other]!, result[index]!];
    }
    return result;
  }

  /** Fills memory and returns it. */
  fill<T extends Uint8Array>(bytes: T): T {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.next();
      for (let part = 0; part < 4 && at + part < bytes.length; part++) bytes[at + part] = word >>> (8 * part);
    }
    return bytes;
  }

  /** Fresh random bytes. */
  bytes(length: number): Uint8Array {
    return this.fill(new Uint8Array(length));
  }
}
