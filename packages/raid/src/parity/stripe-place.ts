import type { Io } from "@cev/core";
import type { Member } from "../array/member.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { chooseParityWay } from "./stripe-slice.ts";
import type { ParityWay, StripeSlice } from "./stripe-slice.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";

/** Where a request that lies within one stripe touches its members. Rows are bytes of a chunk. */
export class StripePlace {
  readonly stripe: number;
  /** Where in the stripe's data the request begins and ends. */
  readonly start: number;
  readonly end: number;
  readonly parity: Member;
  readonly #array: ParityEngine;

  constructor(array: ParityEngine, io: Io) {
    const { map, members } = array;
    this.#array = array;
    this.stripe = map.stripeOf(io.offset);
    this.start = io.offset - this.stripe * map.stripeSize;
    this.end = this.start + io.length;
    this.parity = members[map.parityMember(this.stripe)]!;
  }

  /** All rows that are touched, as bytes of the members' data: a request that crosses into another chunk may touch any. */
  get range(): ByteRange {
    const { chunkSize } = this.#array.map;
    const rowStart = this.start % chunkSize;
    const length = this.end - this.start;
    return rowStart + length <= chunkSize
      ? this.#rows(rowStart, rowStart + length)
      : this.#rows(0, chunkSize);
  }

  /** The rows of a slice, as bytes of the members' data. */
  rangeOf({ rowStart, rowEnd }: StripeSlice): ByteRange {
    return this.#rows(rowStart, rowEnd);
  }

  memberOf(column: number): Member {
    return this.#array.members[this.#array.map.dataMember(this.stripe, column)]!;
  }

  /** Where on a member a slice begins. */
  memberOffsetOf(member: Member, { rowStart }: StripeSlice): number {
    return member.dataStart + this.stripe * this.#array.map.chunkSize + rowStart;
  }

  /** Where a slice's part of a column lies, counted from where the request's data begins. */
  dataOffsetOf(column: number, { rowStart }: StripeSlice): number {
    return column * this.#array.map.chunkSize + rowStart - this.start;
  }

  /** How the new parity of a slice comes about, with a member that cannot be read there, if any; null: not at all. */
  parityWayOf(slice: StripeSlice, unreadable: Member | null): ParityWay | null {
    const { dataCount } = this.#array.map;
    const canRead = (member: Member): boolean => member.isInSync && member !== unreadable;
    let isWrittenUnreadable = false;
    let isOtherUnreadable = false;
    for (let column = 0; column < dataCount; column++) {
      if (canRead(this.memberOf(column))) continue;
      if (column >= slice.columnFirst && column <= slice.columnLast) isWrittenUnreadable = true;
      else isOtherUnreadable = true;
    }
    return chooseParityWay({
      dataCount,
      writtenCount: slice.columnLast - slice.columnFirst + 1,
      isParityLost: !this.parity.isInSync,
      isParityUnreadable: !canRead(this.parity),
      isWrittenUnreadable,
      isOtherUnreadable,
    });
  }

  #rows(start: number, end: number): ByteRange {
    const chunkStart = this.stripe * this.#array.map.chunkSize;
    return { start: chunkStart + start, end: chunkStart + end };
  }
}
