import type { MemberRun } from "../array/member-run.ts";
import type { MirrorMap } from "../levels/mirror-map.ts";

/**
 * All that the members hold of a range of the array, every copy, in as few pieces as there can be: however long the
 * range, a few for each member. In rising order by member and place.
 */
export function memberRuns(map: MirrorMap, offset: number, length: number): MemberRun[] {
  const end = offset + length;
  if (length <= map.chunkRest(offset)) return merged(piecesOf(map, offset, end));
  // After so many bytes every member has come on by the same whole number of rows.
  const period = map.memberCount * map.chunkSize;
  const first = Math.ceil(offset / period) * period;
  const count = Math.floor((end - first) / period);
  if (count < 2) return merged(piecesOf(map, offset, end));
  const step = map.memberOffsetOf(first + period, 0) - map.memberOffsetOf(first, 0);
  const runs = piecesOf(map, offset, first);
  for (const { member, start, end: runEnd } of merged(piecesOf(map, first, first + period))) {
    if (runEnd - start === step) {
      runs.push({ member, start, end: start + count * step });
      continue;
    }
    for (let turn = 0; turn < count; turn++)
      runs.push({ member, start: start + turn * step, end: runEnd + turn * step });
  }
  runs.push(...piecesOf(map, first + count * period, end));
  return merged(runs);
}

function piecesOf(map: MirrorMap, offset: number, end: number): MemberRun[] {
  const pieces: MemberRun[] = [];
  for (let at = offset; at < end;) {
    const length = Math.min(map.chunkRest(at), end - at);
    for (let copy = 0; copy < map.copyCount; copy++) {
      const start = map.memberOffsetOf(at, copy);
      pieces.push({ member: map.memberOf(at, copy), start, end: start + length });
    }
    at += length;
  }
  return pieces;
}

function merged(pieces: MemberRun[]): MemberRun[] {
  const runs: { member: number; start: number; end: number }[] = [];
  for (const { member, start, end } of pieces.sort((a, b) => a.member - b.member || a.start - b.start)) {
    const last = runs.at(-1);
    if (last?.member === member && last.end === start) last.end = end;
    else runs.push({ member, start, end });
  }
  return runs;
}
