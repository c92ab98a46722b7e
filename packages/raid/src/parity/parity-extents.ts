import { runOf } from "@cev/core";
import type { Run } from "@cev/core";
import type { Member } from "../array/member.ts";
import type { StripeMap } from "../levels/stripe.ts";

/**
 * Where the bytes of a RAID4, 5 or 6 lie: on the member of their chunk, from which they are read wherever that can be. A chunk of
 * which some part has to be reconstructed is data: a read that takes in that part has all of it reconstructed, and the parity
 * may be wrong.
 */
export function parityExtents(
  map: StripeMap,
  members: readonly Member[],
  {
    offset,
    length,
    countMax,
  }: { readonly offset: number; readonly length: number; readonly countMax: number },
): readonly Run[] {
  const { chunkSize } = map;
  const runs: Run[] = [];
  for (let at = offset; at < offset + length && runs.length < countMax;) {
    const member = members[map.memberOf(at)]!;
    const start = map.memberOffsetOf(at);
    const chunkStart = start - (start % chunkSize);
    const part = Math.min(map.chunkRest(at), offset + length - at);
    const { device } = member;
    if (device !== null && member.canRead(chunkStart, chunkStart + chunkSize))
      runs.push({
        length: part,
        content: "asBelow",
        lower: device.layer,
        lowerOffset: member.dataStart + start,
        hasCopies: true,
      });
    else runs.push(...runOf("data", part));
    at += part;
  }
  return runs;
}
