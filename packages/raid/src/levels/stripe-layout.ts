/** What tells the layouts of RAID4, 5 and 6 apart. Member and column indices count from 0. */
export interface StripeLayoutOptions {
  /** As mdadm prints it: "left-symmetric". */
  readonly name: string;
  /** As in the superblock. */
  readonly number: number;
  /** P walks from stripe to stripe to lower members (left) or higher ones (right), or stays before or behind the data. */
  readonly p: "left" | "right" | "first" | "last";
  /** So many steps of the walk to the left are done before stripe 0. */
  readonly ahead?: number;
  /** Q beside P, on the member after or before it, or always on the last member; without it the layout has no Q. */
  readonly q?: "after" | "before" | "last";
  /** Symmetric layouts begin on the member after the parity and wrap around; the others keep the order of the members. */
  readonly isSymmetric: boolean;
  /** Q's coefficients go by member, as in SNIA's DDF, and not by the order of the data after Q. */
  readonly isDdf?: boolean;
}

/**
 * Where the data and the parity of each stripe lie, for one layout of RAID4, 5 or 6. Pure arithmetic on member indices.
 * The places are those of drivers/md/raid5.c (raid5_compute_sector), Q's coefficients too (raid6_d0, raid6_idx_to_slot).
 */
export class StripeLayout {
  readonly name: string;
  readonly number: number;
  /** Parity chunks per stripe: 1, P alone, or 2, P and Q. */
  readonly parityCount: number;
  readonly #p: "left" | "right" | "first" | "last";
  readonly #ahead: number;
  /** Q's distance from P on the ring of members. */
  readonly #qDistance: number;
  readonly #isQLast: boolean;
  readonly #isSymmetric: boolean;
  readonly #isDdf: boolean;

  constructor(options: StripeLayoutOptions) {
    this.name = options.name;
    this.number = options.number;
    this.parityCount = options.q === undefined ? 1 : 2;
    this.#p = options.p;
    this.#ahead = options.ahead ?? 0;
    this.#qDistance = options.q === "after" ? 1 : -1;
    this.#isQLast = options.q === "last";
    this.#isSymmetric = options.isSymmetric;
    this.#isDdf = options.isDdf ?? false;
  }

  /** The member that holds P. */
  parityMember(stripe: number, memberCount: number): number {
    switch (this.#p) {
      case "first":
        return 0;
      case "last":
        return memberCount - this.parityCount;
      case "right":
        return remainder(stripe, this.#ringOf(memberCount));
      case "left": {
        const ring = this.#ringOf(memberCount);
        return ring - 1 - remainder(stripe + this.#ahead, ring);
      }
    }
  }

  /** The member that holds Q, or -1 for a layout without. */
  qMember(stripe: number, memberCount: number): number {
    if (this.parityCount === 1) return -1;
    if (this.#isQLast) return memberCount - 1;
    return wrap(this.parityMember(stripe, memberCount) + this.#qDistance, memberCount);
  }

  /** The member that holds a data column of a stripe. */
  dataMember(stripe: number, column: number, memberCount: number): number {
    const p = this.parityMember(stripe, memberCount);
    const q = this.qMember(stripe, memberCount);
    if (this.#isSymmetric) {
      const ring = this.#ringOf(memberCount);
      return wrap(this.#firstAfter(p, q) + column, ring);
    }
    // Without Q, -1 lies before every member and is stepped over by none.
    let member = column;
    if (q >= 0 && q < p && member >= q) member++;
    if (member >= p) member++;
    if (q > p && member >= q) member++;
    return member;
  }

  /** The data column that a member holds in a stripe, or -1 for P, -2 for Q. */
  columnOf(stripe: number, memberIndex: number, memberCount: number): number {
    const p = this.parityMember(stripe, memberCount);
    const q = this.qMember(stripe, memberCount);
    if (memberIndex === p) return -1;
    if (memberIndex === q) return -2;
    if (this.#isSymmetric) return wrap(memberIndex - this.#firstAfter(p, q), this.#ringOf(memberCount));
    return memberIndex - (p < memberIndex ? 1 : 0) - (q >= 0 && q < memberIndex ? 1 : 0);
  }

  /**
   * The power of 2 (in GF(2^8)) by which a data column counts in Q. md counts the data members from the one after Q on
   * and steps over P; in the layouts of DDF the power is the member's index, and P and Q stand for zeros.
   */
  qExponent(stripe: number, column: number, memberCount: number): number {
    const member = this.dataMember(stripe, column, memberCount);
    if (this.#isDdf) return member;
    const first = this.qMember(stripe, memberCount) + 1;
    const distance = wrap(member - first, memberCount);
    const parityDistance = wrap(this.parityMember(stripe, memberCount) - first, memberCount);
    return distance > parityDistance ? distance - 1 : distance;
  }

  /** How many members P takes turns on. */
  #ringOf(memberCount: number): number {
    return this.#isQLast ? memberCount - 1 : memberCount;
  }

  /** Where the data of a symmetric layout begins, perhaps one past the last member. */
  #firstAfter(p: number, q: number): number {
    return (this.parityCount === 2 && !this.#isQLast && this.#qDistance > 0 ? q : p) + 1;
  }
}

/** `value` from -count to 2 * count - 1, brought between 0 and count - 1. */
function wrap(value: number, count: number): number {
  if (value < 0) return value + count;
  return value >= count ? value - count : value;
}

// Not `%`: on numbers past 2^31 it costs more than all the rest of a read. Exact for integers below 2^53.
function remainder(value: number, divisor: number): number {
  return value - Math.floor(value / divisor) * divisor;
}
