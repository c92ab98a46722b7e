import type { Level } from "./level.ts";
import { linear } from "./linear.ts";
import { raid0 } from "./raid0.ts";
import { raid10 } from "./raid10.ts";
import { raid1 } from "./raid1.ts";
import { RAID4_LAYOUT, raid4 } from "./raid4.ts";
import { RAID5_LAYOUTS, raid5 } from "./raid5.ts";
import { RAID6_LAYOUTS, raid6 } from "./raid6.ts";
import type { StripeLayout } from "./stripe-layout.ts";

/** All levels, in the order of their numbers. */
export const LEVELS: readonly Level[] = [linear, raid0, raid1, raid4, raid5, raid6, raid10];

const BY_NUMBER = new Map(LEVELS.map((level) => [level.number, level]));

// As mdadm takes them.
const BY_NAME = new Map<string, Level>([
  ...LEVELS.map((level) => [level.name, level] as const),
  ...LEVELS.filter(({ number }) => number >= 0).map((level) => [`${level.number}`, level] as const),
  ["stripe", raid0],
  ["mirror", raid1],
]);

/** The level of this number in superblocks; null: there is none. */
export function levelOf(number: number): Level | null {
  return BY_NUMBER.get(number) ?? null;
}

/** The level by any of the names that mdadm takes ("raid5", "5", "stripe"), or null. */
export function levelByName(name: string): Level | null {
  return BY_NAME.get(name) ?? null;
}

/** Where RAID4, 5 or 6 put data and parity in the layout of this number; null: no such level, or no such layout. */
export function stripeLayout(level: number, layout: number): StripeLayout | null {
  switch (level) {
    case 4:
      return RAID4_LAYOUT;
    case 5:
      return RAID5_LAYOUTS.find(({ number }) => number === layout) ?? null;
    case 6:
      return RAID6_LAYOUTS.find(({ number }) => number === layout) ?? null;
    default:
      return null;
  }
}
