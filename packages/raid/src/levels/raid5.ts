import type { StripeLayout } from "./stripe.ts";

/** The parity walks from the last member to the first. */
const leftParity = (stripe: number, memberCount: number): number => memberCount - 1 - (stripe % memberCount);
/** The parity walks from the first member to the last. */
const rightParity = (stripe: number, memberCount: number): number => stripe % memberCount;

type ParityPlace = (stripe: number, memberCount: number) => number;

/** Asymmetric: data columns keep the order of the members, stepping over the parity. */
function asymmetric(name: string, parityMember: ParityPlace): StripeLayout {
  return {
    name,
    parityMember,
    dataMember(stripe, column, memberCount) {
      return column < parityMember(stripe, memberCount) ? column : column + 1;
    },
    columnOf(stripe, memberIndex, memberCount) {
      const parity = parityMember(stripe, memberCount);
      if (memberIndex === parity) return -1;
      return memberIndex < parity ? memberIndex : memberIndex - 1;
    },
  };
}

/** Symmetric: data columns start on the member after the parity and wrap around. */
function symmetric(name: string, parityMember: ParityPlace): StripeLayout {
  return {
    name,
    parityMember,
    dataMember(stripe, column, memberCount) {
      return (parityMember(stripe, memberCount) + 1 + column) % memberCount;
    },
    columnOf(stripe, memberIndex, memberCount) {
      const after = (memberIndex - parityMember(stripe, memberCount) - 1 + memberCount) % memberCount;
      return after === memberCount - 1 ? -1 : after;
    },
  };
}

/** RAID5's layouts by the number that md's superblock gives them. */
export const RAID5_LAYOUTS: readonly StripeLayout[] = [
  asymmetric("left-asymmetric", leftParity),
  asymmetric("right-asymmetric", rightParity),
  symmetric("left-symmetric", leftParity),
  symmetric("right-symmetric", rightParity),
  asymmetric("parity-first", () => 0),
  asymmetric("parity-last", (_stripe, memberCount) => memberCount - 1),
];
