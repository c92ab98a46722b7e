import type { Member } from "../array/member.ts";
import { overlaps } from "../array/unsynced-ranges.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import type { MirrorMap } from "../levels/mirror-map.ts";

/** What all members have, in terms of the array. */
interface Copies {
  readonly map: MirrorMap;
  readonly members: readonly Member[];
}

/**
 * True where some byte of a range is among the bad blocks of every copy: what is written there could not be read again.
 * Cheap while no member has any.
 */
export function isBadOnAllCopies(copies: Copies, offset: number, length: number): boolean {
  const { map, members } = copies;
  let hasBadBlocks = false;
  for (let index = 0; index < members.length; index++)
    if (members[index]!.badBlocks.length > 0) hasBadBlocks = true;
  if (!hasBadBlocks) return false;
  for (let at = offset; at < offset + length;) {
    const end = Math.min(at + map.chunkRest(at), offset + length);
    if (isPartBad(copies, at, end)) return true;
    at = end;
  }
  return false;
}

/** `start` to `end` lies together on every member. */
function isPartBad({ map, members }: Copies, start: number, end: number): boolean {
  let bad: ByteRange[] | null = null;
  for (let copy = 0; copy < map.copyCount; copy++) {
    const member = members[map.memberOf(start, copy)]!;
    if (!member.isInSync) continue;
    const shift = start - map.memberOffsetOf(start, copy);
    const own = member.badBlocks
      .map((range) => ({ start: range.start + shift, end: range.end + shift }))
      .filter((range) => range.start < end && start < range.end);
    bad = bad === null ? own : bad.flatMap((range) => common(range, own));
  }
  return bad !== null && overlaps(bad, start, end);
}

function common(range: ByteRange, others: readonly ByteRange[]): ByteRange[] {
  return others
    .map((other) => ({ start: Math.max(range.start, other.start), end: Math.min(range.end, other.end) }))
    .filter(({ start, end }) => start < end);
}
