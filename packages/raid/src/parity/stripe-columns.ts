import type { StripeMap } from "../levels/stripe.ts";

/**
 * Which members hold the columns of one stripe. Columns are counted with the data first, then P, then Q where the level
 * has one, so that there is one for each member. Made once and moved from stripe to stripe.
 */
export class StripeColumns {
  readonly map: StripeMap;
  /** Columns of data; as an index, that of P. */
  readonly dataCount: number;
  /** All columns. */
  readonly count: number;
  stripe = -1;
  /** By column, the index of its member. */
  readonly members: number[];
  /** By column of data, the power of 2 with which it goes into Q; nothing where there is no Q. */
  readonly exponents: number[];

  constructor(map: StripeMap) {
    this.map = map;
    this.dataCount = map.dataCount;
    this.count = map.memberCount;
    this.members = new Array<number>(this.count).fill(0);
    this.exponents = new Array<number>(map.parityCount === 2 ? this.dataCount : 0).fill(0);
  }

  /** Moves to a stripe. */
  locate(stripe: number): void {
    if (stripe === this.stripe) return;
    const { map, members, exponents, dataCount } = this;
    this.stripe = stripe;
    for (let column = 0; column < dataCount; column++) members[column] = map.dataMember(stripe, column);
    members[dataCount] = map.parityMember(stripe);
    if (map.parityCount === 1) return;
    members[dataCount + 1] = map.qMember(stripe);
    for (let column = 0; column < dataCount; column++) exponents[column] = map.qExponent(stripe, column);
  }

  /** The column that a member holds in this stripe. */
  columnOf(memberIndex: number): number {
    return this.members.indexOf(memberIndex);
  }
}
