import type { MemberRun } from "../array/member-run.ts";
import type { Zone, ZoneMap } from "../levels/zone-map.ts";

/** What the members hold of a range of the array: one run for each member of each zone, however long the range. */
export function memberRuns(map: ZoneMap, offset: number, length: number): MemberRun[] {
  const runs: MemberRun[] = [];
  for (const zone of map.zones) {
    const start = Math.max(offset, zone.start) - zone.start;
    const end = Math.min(offset + length, zone.end) - zone.start;
    if (start < end) zone.members.forEach((_, place) => addRun(runs, { map, zone, place, start, end }));
  }
  return runs;
}

interface ZonePart {
  readonly map: ZoneMap;
  readonly zone: Zone;
  /** Of the member among the zone's. */
  readonly place: number;
  /** Of the zone, in bytes. */
  readonly start: number;
  readonly end: number;
}

function addRun(runs: MemberRun[], { map, zone, place, start, end }: ZonePart): void {
  const { members, firstTurn, memberStart } = zone;
  const count = members.length;
  const member = members[place]!;
  if (count === 1) {
    runs.push({ member, start: memberStart + start, end: memberStart + end });
    return;
  }
  const { chunkSize } = map;
  const turn = place >= firstTurn ? place - firstTurn : place - firstTurn + count;
  const firstChunk = Math.floor(start / chunkSize);
  const lastChunk = Math.ceil(end / chunkSize) - 1;
  const firstRow = Math.ceil((firstChunk - turn) / count);
  const lastRow = Math.floor((lastChunk - turn) / count);
  if (firstRow > lastRow) return;
  const skipped = firstRow * count + turn === firstChunk ? start - firstChunk * chunkSize : 0;
  const left = lastRow * count + turn === lastChunk ? (lastChunk + 1) * chunkSize - end : 0;
  runs.push({
    member,
    start: memberStart + firstRow * chunkSize + skipped,
    end: memberStart + (lastRow + 1) * chunkSize - left,
  });
}
