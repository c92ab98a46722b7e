/** Where the data and the parity of each stripe lie, for a level with one layout. Pure arithmetic on member indices. */
export interface StripeLayout {
  /** As mdadm prints it: "left-symmetric". */
  readonly name: string;
  /** The member that holds the parity of a stripe. */
  parityMember(stripe: number, memberCount: number): number;
  /** The member that holds a data column (from 0) of a stripe. */
  dataMember(stripe: number, column: number, memberCount: number): number;
  /** The data column that a member holds in a stripe, or -1 for parity. */
  columnOf(stripe: number, memberIndex: number, memberCount: number): number;
}

/** What a `StripeMap` is made of. `chunkSize` in bytes. */
export interface StripeMapOptions {
  readonly layout: StripeLayout;
  readonly chunkSize: number;
  readonly memberCount: number;
}

/**
 * Maps bytes of an array with one parity chunk per stripe to bytes of its members and back. Member offsets count
 * from where the member's data begins. Divisions instead of shifts: offsets pass 2^32. `chunkSize` is a power of two, so
 * they are exact.
 */
export class StripeMap {
  readonly layout: StripeLayout;
  /** Bytes. */
  readonly chunkSize: number;
  readonly memberCount: number;
  /** Data columns per stripe. */
  readonly dataCount: number;
  /** Bytes of data in one stripe. */
  readonly stripeSize: number;

  constructor(options: StripeMapOptions) {
    this.layout = options.layout;
    this.chunkSize = options.chunkSize;
    this.memberCount = options.memberCount;
    this.dataCount = options.memberCount - 1;
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

  parityMember(stripe: number): number {
    return this.layout.parityMember(stripe, this.memberCount);
  }

  dataMember(stripe: number, column: number): number {
    return this.layout.dataMember(stripe, column, this.memberCount);
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
