import type { Level } from "./level.ts";
import { parityLevel } from "./parity-level.ts";
import { StripeLayout } from "./stripe-layout.ts";

/** RAID5's layouts by the number that md's superblock gives them. */
export const RAID5_LAYOUTS: readonly StripeLayout[] = [
  new StripeLayout({ name: "left-asymmetric", number: 0, p: "left", isSymmetric: false }),
  new StripeLayout({ name: "right-asymmetric", number: 1, p: "right", isSymmetric: false }),
  new StripeLayout({ name: "left-symmetric", number: 2, p: "left", isSymmetric: true }),
  new StripeLayout({ name: "right-symmetric", number: 3, p: "right", isSymmetric: true }),
  new StripeLayout({ name: "parity-first", number: 4, p: "first", isSymmetric: false }),
  new StripeLayout({ name: "parity-last", number: 5, p: "last", isSymmetric: false }),
];

/** Data and one parity that takes turns on all members. */
export const raid5: Level = parityLevel({
  name: "raid5",
  number: 5,
  memberCountMin: 2,
  layouts: RAID5_LAYOUTS,
  aliases: [
    ["default", 2],
    ["la", 0],
    ["ra", 1],
    ["ls", 2],
    ["rs", 3],
    ["ddf-zero-restart", 1],
    ["ddf-N-restart", 0],
    ["ddf-N-continue", 2],
  ],
});
