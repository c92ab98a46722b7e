import type { Random } from "../random.ts";

/** A bit that was turned over. */
export interface FlippedBit {
  /** Of its byte, from the start of the device. */
  readonly offset: number;
  /** 0 is the lowest. */
  readonly bit: number;
}

/** Bits of a device that read as their opposites. */
export class BitFlips {
  // Offset of a byte: which of its bits.
  readonly #masks = new Map<number, number>();

  get isEmpty(): boolean {
    return this.#masks.size === 0;
  }

  /** Turns over this many bits of a range, or all it has; each at most once. Returns them. */
  add(
    range: { readonly offset: number; readonly length: number; readonly bits: number },
    random: Random,
  ): FlippedBit[] {
    const count = Math.min(range.bits, range.length * 8);
    const chosen = new Set<number>();
    while (chosen.size < count) chosen.add(random.below(range.length * 8));
    return [...chosen].map((index) => {
      const offset = range.offset + Math.floor(index / 8);
      const bit = index % 8;
      const mask = (this.#masks.get(offset) ?? 0) ^ (1 << bit);
      if (mask === 0) this.#masks.delete(offset);
      else this.#masks.set(offset, mask);
      return { offset, bit };
    });
  }

  /** The range was written. */
  clear(offset: number, length: number): void {
    for (const at of this.#inside(offset, length)) this.#masks.delete(at);
  }

  /** Turns over, in what was read at `offset`, what is turned over there. */
  apply(offset: number, data: Uint8Array, dataOffset: number, length: number): void {
    for (const at of this.#inside(offset, length)) {
      const index = dataOffset + at - offset;
      data[index] = data[index]! ^ this.#masks.get(at)!;
    }
  }

  #inside(offset: number, length: number): number[] {
    if (this.#masks.size === 0) return [];
    return [...this.#masks.keys()].filter((at) => at >= offset && at < offset + length);
  }
}
