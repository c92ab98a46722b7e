import type { MemberBitmap } from "../metadata/member-scan.ts";
import { ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { BitmapState } from "../metadata/bitmap.ts";

/**
 * True for a stale member to which only what the bitmap marks need be copied: since it fell behind no bit has been
 * cleared, and its place is still empty. `bitmap`: the array's own.
 */
export function canReAdd(stale: Superblock, newest: Superblock, bitmap: MemberBitmap | null): boolean {
  if (bitmap === null || (bitmap.head.state & BitmapState.stale) !== 0) return false;
  // A bitmap that missed events marks nothing for certain.
  if (bitmap.head.eventCount < newest.eventCount) return false;
  if ((stale.features & FeatureFlag.recovery) !== 0) return false;
  if (stale.sizeSectors !== newest.sizeSectors || stale.reshape !== null || newest.reshape !== null)
    return false;
  const role = ownRole(stale);
  const holder = newest.roles.indexOf(role);
  const isPlaceFree = holder === -1 || (holder === stale.deviceNumber && stale.version !== "0.90");
  return isPlaceFree && stale.eventCount >= bitmap.head.clearedEventCount;
}
