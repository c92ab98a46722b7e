import { fstatSync } from "node:fs";
import { runOf } from "@cev/core";
import type { Run } from "@cev/core";
import type { HoleFinder } from "./hole-finder.ts";

// The calls are made on the main thread, less than a microsecond each where the file system has its map in memory.
const CALLS_MAX = 256;
// A file system may keep a few bytes beside its blocks.
const BARE_SIZE_MIN = 65_536;

/** Which range of a file. Bytes. */
interface FileRange {
  readonly offset: number;
  readonly length: number;
  readonly countMax: number;
}

/** Asks the system where a file has holes. At least one run; whatever has no clear answer is data. */
export function fileRuns(
  finder: HoleFinder,
  fd: number,
  { offset, length, countMax }: FileRange,
): readonly Run[] {
  const runs: Run[] = [];
  const end = offset + length;
  for (let at = offset, calls = 0; at < end && runs.length < countMax && calls < CALLS_MAX; calls += 2) {
    const data = finder.nextData(fd, at);
    const isHole = data !== at;
    const border = isHole ? (data > at ? data : holeEnd(finder, fd, at)) : finder.nextHole(fd, at);
    if (border <= at) {
      runs.push(...runOf("data", end - at));
      return runs;
    }
    const next = Math.min(border, end);
    runs.push(...runOf(isHole ? "hole" : "data", next - at));
    at = next;
  }
  return runs;
}

/** No data follows: the hole at `at` reaches to the end of the file. -1: there is no hole, or nobody can tell. */
function holeEnd(finder: HoleFinder, fd: number, at: number): number {
  return finder.nextHole(fd, at) === at ? finder.end(fd) : -1;
}

/** Where there is no way to ask for holes: a file that takes no room at all is one. */
export function bareFileRuns(fd: number, { offset, length }: FileRange): readonly Run[] {
  const { blocks, size } = fstatSync(fd);
  return runOf(blocks === 0 && size >= BARE_SIZE_MIN && offset + length <= size ? "hole" : "data", length);
}
