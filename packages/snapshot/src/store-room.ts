import type { StoreLayout } from "./store-layout.ts";

/** Chunks of a store, areas perhaps among them: `end` is not part of it any more. */
export interface ChunkRange {
  readonly first: number;
  readonly end: number;
}

/** Chunks of a store that hold nothing: what was given back and gaps first, then what was never used. */
export class StoreRoom {
  readonly #layout: StoreLayout;
  // The last of them is used first; the first one is what was never used.
  readonly #ranges: { first: number; readonly end: number }[];

  /** `gaps`: below `nextFree`, and not named by an exception. */
  constructor(layout: StoreLayout, nextFree: number, gaps: readonly ChunkRange[]) {
    this.#layout = layout;
    this.#ranges = [
      { first: nextFree, end: layout.chunkCount },
      ...gaps.map((gap) => ({ ...gap })).toReversed(),
    ];
  }

  /** The lowest chunk from which on none was ever used. */
  get nextFree(): number {
    return this.#ranges[0]!.first;
  }

  /** How many chunks next to each other `take` could give. */
  get runLength(): number {
    for (;;) {
      const range = this.#ranges.at(-1)!;
      range.first = this.#layout.skipMetadata(range.first);
      const length = Math.min(range.end - range.first, this.#layout.runLength(range.first));
      if (length > 0) return length;
      if (this.#ranges.length === 1) return 0;
      this.#ranges.pop();
    }
  }

  /** Returns the first of so many chunks. Precondition: they are no more than `runLength`. */
  take(count: number): number {
    const range = this.#ranges.at(-1)!;
    const { first } = range;
    range.first = this.#layout.skipMetadata(first + count);
    return first;
  }

  /** Chunks that were taken and that nothing names. */
  giveBack(first: number, count: number): void {
    this.#ranges.push({ first, end: first + count });
  }
}

/** The gaps between chunks of data that are in use. */
export function gapsBetween(used: readonly number[], layout: StoreLayout): ChunkRange[] {
  const gaps: ChunkRange[] = [];
  let first = layout.skipMetadata(0);
  for (const chunk of used.toSorted((a, b) => a - b)) {
    if (chunk > first) gaps.push({ first, end: chunk });
    first = layout.skipMetadata(chunk + 1);
  }
  return gaps;
}
