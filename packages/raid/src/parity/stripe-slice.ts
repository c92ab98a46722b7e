import type { StripeMap } from "../levels/stripe.ts";

/**
 * A rectangle of one stripe that a write covers: some rows of some neighbouring data columns, each column written
 * wholly or not at all within the rows.
 */
export interface StripeSlice {
  /** Rows are bytes of a chunk. */
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnFirst: number;
  /** Included. */
  readonly columnLast: number;
}

/**
 * The next slice, from a row on, of the range [start, end) of a stripe's data; null when no row is left. A range that
 * begins and ends inside chunks becomes up to three bands, each a slice, and more where they cross multiples of
 * `lengthMax`.
 */
export function nextSlice(
  map: StripeMap,
  range: { readonly start: number; readonly end: number; readonly lengthMax: number },
  row: number,
): StripeSlice | null {
  const { chunkSize } = map;
  const first = Math.floor(range.start / chunkSize);
  const last = Math.floor((range.end - 1) / chunkSize);
  const head = range.start - first * chunkSize;
  const tail = range.end - last * chunkSize;
  let rowStart = row;
  while (rowStart < chunkSize) {
    const columnFirst = rowStart >= head ? first : first + 1;
    const columnLast = rowStart < tail ? last : last - 1;
    let rowEnd = chunkSize;
    if (head > rowStart) rowEnd = Math.min(rowEnd, head);
    if (tail > rowStart) rowEnd = Math.min(rowEnd, tail);
    if (columnFirst <= columnLast) {
      const pieceEnd = rowStart - (rowStart % range.lengthMax) + range.lengthMax;
      return { rowStart, rowEnd: Math.min(rowEnd, pieceEnd), columnFirst, columnLast };
    }
    rowStart = rowEnd;
  }
  return null;
}

/**
 * How new parity comes about: from nothing but what is written (`full`), from the old parity and what is overwritten
 * (`modify`), from the columns that stay (`reconstruct`), or not at all, because its member is gone (`none`).
 */
export type ParityWay = "full" | "modify" | "reconstruct" | "none";

/** What the choice of a `ParityWay` depends on. Columns as indices, -1: no such column. */
export interface ParityChoice {
  readonly dataCount: number;
  readonly writtenCount: number;
  /** The parity's member is gone. */
  readonly isParityLost: boolean;
  /** The old parity cannot be read. */
  readonly isParityUnreadable: boolean;
  /** One of the written columns cannot be read. */
  readonly isWrittenUnreadable: boolean;
  /** One of the other columns cannot be read. */
  readonly isOtherUnreadable: boolean;
}

/** The way that reads least among those that read nothing unreadable; null when there is none. */
export function chooseParityWay(choice: ParityChoice): ParityWay | null {
  if (choice.isParityLost) return "none";
  const others = choice.dataCount - choice.writtenCount;
  if (others === 0) return "full";
  const canModify = !choice.isParityUnreadable && !choice.isWrittenUnreadable;
  const canReconstruct = !choice.isOtherUnreadable;
  if (canModify && (!canReconstruct || choice.writtenCount + 1 < others)) return "modify";
  return canReconstruct ? "reconstruct" : null;
}
