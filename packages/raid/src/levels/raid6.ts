import type { Level } from "./level.ts";
import { parityLevel } from "./parity-level.ts";
import { StripeLayout } from "./stripe-layout.ts";

/** RAID6's layouts. The superblock's numbers have gaps: 6 and 7, 11 to 15. */
export const RAID6_LAYOUTS: readonly StripeLayout[] = [
  new StripeLayout({ name: "left-asymmetric", number: 0, p: "left", q: "after", isSymmetric: false }),
  new StripeLayout({ name: "right-asymmetric", number: 1, p: "right", q: "after", isSymmetric: false }),
  new StripeLayout({ name: "left-symmetric", number: 2, p: "left", q: "after", isSymmetric: true }),
  new StripeLayout({ name: "right-symmetric", number: 3, p: "right", q: "after", isSymmetric: true }),
  new StripeLayout({ name: "parity-first", number: 4, p: "first", q: "after", isSymmetric: false }),
  new StripeLayout({ name: "parity-last", number: 5, p: "last", q: "after", isSymmetric: false }),
  new StripeLayout({
    name: "ddf-zero-restart",
    number: 8,
    p: "right",
    q: "after",
    isSymmetric: false,
    isDdf: true,
  }),
  new StripeLayout({
    name: "ddf-N-restart",
    number: 9,
    p: "left",
    ahead: 1,
    q: "after",
    isSymmetric: false,
    isDdf: true,
  }),
  new StripeLayout({
    name: "ddf-N-continue",
    number: 10,
    p: "left",
    q: "before",
    isSymmetric: true,
    isDdf: true,
  }),
  // What RAID5 becomes when Q is put on a new last member.
  new StripeLayout({ name: "left-asymmetric-6", number: 16, p: "left", q: "last", isSymmetric: false }),
  new StripeLayout({ name: "right-asymmetric-6", number: 17, p: "right", q: "last", isSymmetric: false }),
  new StripeLayout({ name: "left-symmetric-6", number: 18, p: "left", q: "last", isSymmetric: true }),
  new StripeLayout({ name: "right-symmetric-6", number: 19, p: "right", q: "last", isSymmetric: true }),
  new StripeLayout({ name: "parity-first-6", number: 20, p: "first", q: "last", isSymmetric: false }),
];

/** Data and two parities: survives the loss of any two members. */
export const raid6: Level = parityLevel({
  name: "raid6",
  number: 6,
  memberCountMin: 4,
  layouts: RAID6_LAYOUTS,
  aliases: [
    ["default", 2],
    ["la", 0],
    ["ra", 1],
    ["ls", 2],
    ["rs", 3],
  ],
});
