import type { StripeLayout } from "./stripe-layout.ts";

export type { StripeLayout } from "./stripe-layout.ts";

/** What a `StripeMap` is made of. `chunkSize` in bytes. */
export interface StripeMapOptions {
  readonly layout: StripeLayout;
  readonly chunkSize: number;
  readonly memberCount: number;
}

/**
 * Maps bytes of a RAID4, 5 or 6 array to bytes of its members and back. Member offsets count
 * from where the member's data begins. Divisions instead of shifts: offsets pass 2^32. `chunkSize` is a power of two, so
 * they are exact.
 */
export class StripeMap {
  readonly layout: StripeLayout;
  /** Bytes. */
  readonly chunkSize: number;
  readonly memberCount: number;
  /** Parity chunks per stripe: 1, P alone, or 2, P and Q. */
  readonly parityCount: number;
  /** Data columns per stripe. */
  readonly dataCount: number;
  /** Bytes of data in one stripe. */
  readonly stripeSize: number;

  constructor(options: StripeMapOptions) {
    this.layout = options.layout;
    this.chunkSize = options.chunkSize;
    this.memberCount = options.memberCount;
    this.parityCount = options.layout.parityCount;
    this.dataCount = options.memberCount - this.parityCount;
    this.stripeSize = options.chunkSize * this.dataCount;
  }

  /** The stripe in which a byte of the array lies. */
  stripeOf(offset: number): number {
    return Math.floor(this.#chunkOf(offset) / this.dataCount);
  }

  /** The member on which a byte of the array lies. */
  memberOf(offset: number): number {
    const chunk = this.#chunkOf(offset);
    const stripe = Math.floor(chunk / this.dataCount);
    return this.layout.dataMember(stripe, chunk - stripe * this.dataCount, this.memberCount);
  }

  /** Where on its member a byte of the array lies. */
  memberOffsetOf(offset: number): number {
    const chunk = this.#chunkOf(offset);
    return Math.floor(chunk / this.dataCount) * this.chunkSize + offset - chunk * this.chunkSize;
  }

  /** The member that holds P of a stripe. */
  parityMember(stripe: number): number {
    return this.layout.parityMember(stripe, this.memberCount);
  }

  /** The member that holds Q of a stripe, or -1 for a layout without. */
  qMember(stripe: number): number {
    return this.layout.qMember(stripe, this.memberCount);
  }

  /** The member that holds a data column of a stripe. */
  dataMember(stripe: number, column: number): number {
    return this.layout.dataMember(stripe, column, this.memberCount);
  }

  /** The data column that a member holds in a stripe, or -1 for P, -2 for Q. */
  columnOf(stripe: number, memberIndex: number): number {
    return this.layout.columnOf(stripe, memberIndex, this.memberCount);
  }

  /** The power of 2 in GF(2^8) by which a data column counts in Q. */
  qExponent(stripe: number, column: number): number {
    return this.layout.qExponent(stripe, column, this.memberCount);
  }

  /** The byte of the array that a byte of a member holds. Not for bytes of parity. */
  arrayOffsetOf(memberIndex: number, memberOffset: number): number {
    const stripe = this.#chunkOf(memberOffset);
    const column = this.layout.columnOf(stripe, memberIndex, this.memberCount);
    return (stripe * this.dataCount + column) * this.chunkSize + memberOffset - stripe * this.chunkSize;
  }

  /** How many bytes from `offset` on lie in the same chunk. */
  chunkRest(offset: number): number {
    return (this.#chunkOf(offset) + 1) * this.chunkSize - offset;
  }

  /** How many bytes from `offset` on lie in the same stripe. */
  stripeRest(offset: number): number {
    return (this.stripeOf(offset) + 1) * this.stripeSize - offset;
  }

  // Not `%`: on numbers past 2^31 it costs more than all the rest of a read.
  #chunkOf(offset: number): number {
    return Math.floor(offset / this.chunkSize);
  }
}
