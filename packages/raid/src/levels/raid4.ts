import type { Level } from "./level.ts";
import { parityLevel } from "./parity-level.ts";
import { StripeLayout } from "./stripe-layout.ts";

/** RAID4's only layout, whatever number the superblock says: the kernel does not look at it. */
export const RAID4_LAYOUT: StripeLayout = new StripeLayout({
  name: "parity-last",
  number: 0,
  p: "last",
  isSymmetric: false,
});

/** Data, and the parity on the last member. */
export const raid4: Level = {
  ...parityLevel({ name: "raid4", number: 4, memberCountMin: 2, layouts: [RAID4_LAYOUT], aliases: [] }),
  layoutDefault: () => 0,
  layoutName: () => "",
  layoutNumber: () => null,
};
