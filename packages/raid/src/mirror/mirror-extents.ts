import { runOf } from "@cev/core";
import type { Run, RunPlace } from "@cev/core";
import type { Member } from "../array/member.ts";
import { readableRun } from "../array/readable-run.ts";
import type { MirrorMap } from "../levels/mirror-map.ts";

/**
 * Where the bytes of a RAID1 or RAID10 lie: on all members that a read may be served by. They may differ (never synced, left
 * different by a discard), so all of them are told.
 */
export function mirrorExtents(
  map: MirrorMap,
  members: readonly Member[],
  {
    offset,
    length,
    countMax,
  }: { readonly offset: number; readonly length: number; readonly countMax: number },
): readonly Run[] {
  const runs: Run[] = [];
  for (let at = offset; at < offset + length && runs.length < countMax;) {
    const run = runAt(map, members, at, Math.min(map.chunkRest(at), offset + length - at));
    runs.push(run);
    at += run.length;
  }
  return runs;
}

/** Of a range that lies in one piece on each of its members. */
function runAt(map: MirrorMap, members: readonly Member[], offset: number, length: number): Run {
  let part = length;
  const places: RunPlace[] = [];
  for (let copy = 0; copy < map.copyCount; copy++) {
    const member = members[map.memberOf(offset, copy)]!;
    const start = map.memberOffsetOf(offset, copy);
    const { canRead, end } = readableRun(member, start, start + part);
    part = Math.min(part, end - start);
    if (canRead && member.device !== null)
      places.push({ lower: member.device.layer, lowerOffset: member.dataStart + start });
  }
  const [first, ...others] = places;
  if (first === undefined) return runOf("data", part)[0]!;
  return { length: part, content: "asBelow", ...first, others, hasCopies: others.length > 0 };
}
