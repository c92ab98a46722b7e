import type { Layer } from "../layer.ts";

/** A run of bytes of a stack, and what is known of it when all its layers have been asked. */
export interface Extent {
  /** Bytes, more than 0. */
  readonly length: number;
  /** It takes no room: a write there may find that there is none. */
  readonly isHole: boolean;
  /** A read gives zeroes. */
  readonly isZero: boolean;
  /** The undermost layer that holds it; null: none does, or several together, or the extent is made of such of several. */
  readonly holder: Layer | null;
  /** There are more copies than the holder's, or others that can tell what it holds. */
  readonly hasCopies: boolean;
}

/**
 * Extents in the order of a device: neighbours of one kind become one, and every border lies at a whole block. A block that is
 * partly one thing and partly another is a hole, or zeroes, only where all of it is.
 */
export class ExtentList {
  readonly extents: Extent[] = [];
  /** Bytes, whole blocks. */
  length = 0;
  readonly #blockSize: number;
  readonly #byHolder: boolean;
  /** Of the block that is not whole yet. */
  #part: Extent | null = null;

  constructor(blockSize: number, byHolder: boolean) {
    this.#blockSize = blockSize;
    this.#byHolder = byHolder;
  }

  add(extent: Extent): void {
    let left = extent.length;
    if (this.#part !== null) {
      const taken = Math.min(left, this.#blockSize - this.#part.length);
      this.#part = joined(this.#part, { ...extent, length: taken });
      left -= taken;
      if (this.#part.length < this.#blockSize) return;
      this.#push(this.#part);
      this.#part = null;
    }
    const rest = left % this.#blockSize;
    if (left > rest) this.#push({ ...extent, length: left - rest });
    if (rest > 0) this.#part = { ...extent, length: rest };
  }

  /** Nothing comes any more: what there is of a last block counts as well. */
  end(): void {
    if (this.#part !== null) this.#push(this.#part);
    this.#part = null;
  }

  #push(extent: Extent): void {
    this.length += extent.length;
    const last = this.extents.at(-1);
    if (last === undefined || !this.#isOneKind(last, extent)) this.extents.push(extent);
    else this.extents[this.extents.length - 1] = joined(last, extent);
  }

  #isOneKind(one: Extent, other: Extent): boolean {
    if (one.isHole !== other.isHole || one.isZero !== other.isZero) return false;
    return !this.#byHolder || (one.holder === other.holder && one.hasCopies === other.hasCopies);
  }
}

function joined(one: Extent, other: Extent): Extent {
  return {
    length: one.length + other.length,
    isHole: one.isHole && other.isHole,
    isZero: one.isZero && other.isZero,
    holder: one.holder === other.holder ? one.holder : null,
    hasCopies: one.hasCopies && other.hasCopies,
  };
}

/** What two places have in common, as far as both are known: the first holds it. */
export function common(one: readonly Extent[], other: readonly Extent[]): Extent[] {
  const both: Extent[] = [];
  for (let at = 0, within = 0, otherAt = 0, otherWithin = 0; at < one.length && otherAt < other.length;) {
    const [mine, theirs] = [one[at]!, other[otherAt]!];
    const length = Math.min(mine.length - within, theirs.length - otherWithin);
    both.push({
      ...mine,
      length,
      isHole: mine.isHole && theirs.isHole,
      isZero: mine.isZero && theirs.isZero,
    });
    within += length;
    otherWithin += length;
    if (within === mine.length) [at, within] = [at + 1, 0];
    if (otherWithin === theirs.length) [otherAt, otherWithin] = [otherAt + 1, 0];
  }
  return both;
}
