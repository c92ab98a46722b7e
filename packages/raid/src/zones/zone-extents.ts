import { runOf } from "@cev/core";
import type { Run } from "@cev/core";
import type { Member } from "../array/member.ts";
import { ZonePlace } from "../levels/zone-map.ts";
import type { ZoneMap } from "../levels/zone-map.ts";

/** Where the bytes of a linear or RAID0 array lie: one run for each chunk. What is lost is data. */
export function zoneExtents(
  map: ZoneMap,
  members: readonly Member[],
  {
    offset,
    length,
    countMax,
  }: { readonly offset: number; readonly length: number; readonly countMax: number },
): readonly Run[] {
  const runs: Run[] = [];
  const place = new ZonePlace();
  for (let at = offset; at < offset + length && runs.length < countMax;) {
    map.locate(at, place);
    const part = Math.min(place.length, offset + length - at);
    const member = members[place.memberIndex]!;
    const { device } = member;
    if (device === null || !member.takesWrites) runs.push(...runOf("data", part));
    else
      runs.push({
        length: part,
        content: "asBelow",
        lower: device.layer,
        lowerOffset: member.dataStart + place.memberOffset,
      });
    at += part;
  }
  return runs;
}
