import type { ColumnContents } from "./slice-parity.ts";
import { Use } from "./slice-plan.ts";
import type { ParityWay } from "./slice-plan.ts";
import type { StripeCover } from "./stripe-cover.ts";
import type { StripeSlice } from "./stripe-slice.ts";

const NO_DATA = new Uint8Array(0);

/**
 * Where the contents of each data column lie once a band is written: in the memory of the request that writes it, in
 * memory of the pool where several requests do, or where the column was read to.
 */
export class WriteContents implements ColumnContents {
  readonly data: Uint8Array[];
  readonly offsets: number[];
  readonly #cover: StripeCover;
  readonly #slice: StripeSlice;

  constructor(cover: StripeCover, slice: StripeSlice) {
    this.data = new Array<Uint8Array>(slice.dataCount).fill(NO_DATA);
    this.offsets = new Array<number>(slice.dataCount).fill(0);
    this.#cover = cover;
    this.#slice = slice;
  }

  /** Asks for the memory in which columns are put together that come from several requests. */
  plan(way: ParityWay): void {
    const { requests, written } = this.#cover;
    if (requests.length === 1) return;
    const { uses, copies, dataCount } = this.#slice;
    for (let column = 0; column < dataCount; column++) {
      if (written[column] === 0 || this.#cover.wholeOf(column) !== null) continue;
      // What was read of it to modify the parity is needed next to what is written.
      if (way === "modify") copies[column] = 1;
      else if (uses[column] === Use.none) uses[column] = Use.room;
    }
  }

  /** Everything that was to be read is there, and what was to be recovered from it. */
  fill(): void {
    const { written } = this.#cover;
    const { dataCount, places, copyPlaces, copies, buffer } = this.#slice;
    const bytes = buffer?.bytes ?? NO_DATA;
    for (let column = 0; column < dataCount; column++) {
      const request = written[column] === 1 ? this.#cover.wholeOf(column) : null;
      if (request !== null) {
        this.data[column] = request.data;
        this.offsets[column] = this.#cover.dataOffsetOf(request, column);
        continue;
      }
      const place = copies[column] === 1 ? copyPlaces[column]! : places[column]!;
      this.data[column] = bytes;
      this.offsets[column] = place;
      if (written[column] === 1) this.#cover.gather(column, bytes, place);
    }
  }

  /** Lets go of the callers' memory. */
  forget(): void {
    this.data.fill(NO_DATA);
  }
}
