/** RAID10's layout, taken apart. */
export interface Raid10Layout {
  /** Copies of a chunk side by side. */
  readonly nearCount: number;
  /** Copies of that in other stripes, each shifted by `nearCount` members. */
  readonly farCount: number;
  /** Far copies follow in the next stripes, and not in the next part of the members. */
  readonly isOffset: boolean;
  /** Far copies stay within sets of so many members; the last set takes what is left over too. All of them: one set. */
  readonly farSetSize: number;
}

// Bit 16 is "offset", from bit 17 on stands how far sets are made.
const OFFSET_BIT = 1 << 16;
const SETS_SHIFT = 17;

/**
 * Takes the layout of a RAID10 array apart, or null where there is none of this number for so many members: fewer than
 * two copies, more copies than members, unknown bits, copies that would lie on one another. Format: drivers/md/raid10.c (setup_geo).
 */
export function decodeRaid10Layout(layout: number, memberCount: number): Raid10Layout | null {
  const nearCount = layout & 0xff;
  const farCount = (layout >>> 8) & 0xff;
  const copyCount = nearCount * farCount;
  if (layout < 0 || copyCount < 2 || copyCount > memberCount) return null;
  const farSetSize = farSetSizeOf(layout >>> SETS_SHIFT, { nearCount, farCount }, memberCount);
  if (farSetSize === null) return null;
  const isOffset = (layout & OFFSET_BIT) !== 0;
  // The kernel's own arithmetic puts some of these copies on one another: near ones that do not fit into their row go
  // where far ones of an offset layout lie, and uneven far sets are mixed up.
  const isUneven = memberCount % farSetSize !== 0 || (isOffset && memberCount % nearCount !== 0);
  if (nearCount > 1 && farCount > 1 && isUneven) return null;
  return { nearCount, farCount, isOffset, farSetSize };
}

/** The number of a layout with `nearCount` near or `farCount` far copies in one set. */
export function encodeRaid10Layout(
  copies: { readonly nearCount: number; readonly farCount: number },
  isOffset: boolean,
): number {
  return copies.nearCount + (copies.farCount << 8) + (isOffset ? OFFSET_BIT : 0);
}

function farSetSizeOf(
  kind: number,
  copies: { readonly nearCount: number; readonly farCount: number },
  memberCount: number,
): number | null {
  switch (kind) {
    case 0:
      return memberCount;
    // Made for a short while only: sets may be smaller than the number of copies, which then share members.
    case 1:
      return Math.floor(memberCount / copies.farCount);
    case 2:
      return copies.farCount * copies.nearCount;
    default:
      return null;
  }
}
