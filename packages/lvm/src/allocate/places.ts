import { CevError } from "@cev/core";
import type { PhysicalVolume, VolumeGroup } from "../model/group.ts";
import { show } from "../text/parser.ts";
import { freeRanges, isAllocatable } from "./free-space.ts";
import type { ExtentRange } from "./free-space.ts";

/** Where new extents may come from: a physical volume, and what is free of it there. */
export interface Place {
  readonly physicalVolume: PhysicalVolume;
  /** In the order they were asked for. */
  readonly free: readonly ExtentRange[];
}

/** What a user calls the physical volumes of a group: names of devices, with the UUID of each. */
export type PvNames = ReadonlyMap<string, string>;

const RANGE = /^(\d*)(?:(-)(\d*)|\+(\d+))?$/;
const COUNT_MAX = 2 ** 32;

/**
 * The places that texts name as LVM2 takes them: `d0`, with ranges of extents `d0:0-99:200-:7:300+10`, or `@tag`. Without any:
 * all physical volumes that may be allocated from. Throws `CEV_NOT_FOUND` and `CEV_INVALID`.
 */
export function findPlaces(
  group: VolumeGroup,
  texts: readonly string[] | undefined,
  names: PvNames,
): readonly Place[] {
  const free = freeRanges(group);
  const whole = (physicalVolume: PhysicalVolume): Place => ({
    physicalVolume,
    free: free.get(physicalVolume.name) ?? [],
  });
  if (texts === undefined || texts.length === 0)
    return group.physicalVolumes.filter(isAllocatable).map(whole);
  const places = new Map<PhysicalVolume, ExtentRange[]>();
  for (const text of texts) {
    for (const { physicalVolume, ranges } of parsePlace(group, text, names)) {
      checkAllocatable(physicalVolume, text);
      const found = places.get(physicalVolume) ?? [];
      places.set(physicalVolume, found);
      for (const range of ranges)
        found.push(...withoutOverlap(overlaps(free.get(physicalVolume.name) ?? [], range), found));
    }
  }
  return [...places].map(([physicalVolume, ranges]) => ({ physicalVolume, free: ranges }));
}

function parsePlace(
  group: VolumeGroup,
  text: string,
  names: PvNames,
): { readonly physicalVolume: PhysicalVolume; readonly ranges: readonly ExtentRange[] }[] {
  if (text.startsWith("@")) {
    const tagged = group.physicalVolumes.filter(({ tags }) => tags.includes(text.slice(1)));
    if (tagged.length === 0)
      throw new CevError(
        "CEV_NOT_FOUND",
        `no physical volume of ${group.name} has the tag ${show(text.slice(1))}`,
      );
    return tagged.map((physicalVolume) => ({
      physicalVolume,
      ranges: [{ start: 0, count: physicalVolume.extentCount }],
    }));
  }
  const { physicalVolume, rest } = matchName(group, text, names);
  if (rest === null) return [{ physicalVolume, ranges: [{ start: 0, count: physicalVolume.extentCount }] }];
  const ranges = rest.split(":").map((range) => parseRange(range, physicalVolume, text));
  return [{ physicalVolume, ranges }];
}

/** Names of devices may have colons of their own: the longest name that fits counts. */
function matchName(
  group: VolumeGroup,
  text: string,
  names: PvNames,
): { readonly physicalVolume: PhysicalVolume; readonly rest: string | null } {
  let best: { readonly physicalVolume: PhysicalVolume; readonly length: number } | null = null;
  for (const physicalVolume of group.physicalVolumes) {
    const known = [...names].filter(([, uuid]) => uuid === physicalVolume.uuid).map(([name]) => name);
    for (const name of [physicalVolume.uuid, ...known]) {
      if (text !== name && !text.startsWith(`${name}:`)) continue;
      if (best === null || name.length > best.length) best = { physicalVolume, length: name.length };
    }
  }
  if (best === null)
    throw new CevError("CEV_NOT_FOUND", `${show(text)} is no physical volume of ${group.name}`, {
      hint: "a place is a device of the group, with ranges of extents behind it: d0:0-99",
    });
  return {
    physicalVolume: best.physicalVolume,
    rest: best.length === text.length ? null : text.slice(best.length + 1),
  };
}

function parseRange(range: string, { extentCount }: PhysicalVolume, text: string): ExtentRange {
  const match = RANGE.exec(range);
  if (match === null || range === "")
    throw new CevError("CEV_INVALID", `${show(range)} in ${show(text)} is no range of extents`, {
      hint: "a range is 7, 0-99, 100- or 100+50",
    });
  const [, first = "", dash, last = "", count] = match;
  const start = first === "" ? 0 : Number(first);
  let end = start + 1;
  if (dash !== undefined) end = last === "" ? extentCount : Number(last) + 1;
  if (count !== undefined) end = start + Number(count);
  if (end <= start)
    throw new CevError("CEV_INVALID", `the range ${show(range)} in ${show(text)} ends before it begins`);
  if (end > extentCount)
    throw new CevError(
      "CEV_INVALID",
      `the range ${show(range)} in ${show(text)} passes the end of the physical volume, which has ${extentCount} extents`,
    );
  return { start, count: end - start };
}

function checkAllocatable(physicalVolume: PhysicalVolume, text: string): void {
  if (isAllocatable(physicalVolume)) return;
  throw new CevError(
    "CEV_INVALID",
    `${show(text)} may not be allocated from: it is ${physicalVolume.isMarkedMissing ? "marked as missing" : "not marked as allocatable"}`,
    { hint: "see pvchange and vgextend --restoremissing" },
  );
}

/** What of the free ranges lies within one range. */
function overlaps(free: readonly ExtentRange[], { start, count }: ExtentRange): ExtentRange[] {
  return free.flatMap((range) => {
    const from = Math.max(start, range.start);
    const to = Math.min(start + count, range.start + range.count);
    return from < to ? [{ start: from, count: to - from }] : [];
  });
}

/** A range that was named twice is offered once. */
function withoutOverlap(ranges: readonly ExtentRange[], taken: readonly ExtentRange[]): ExtentRange[] {
  let rest = [...ranges];
  for (const { start, count } of taken)
    rest = rest.flatMap((range) => [
      ...overlaps([range], { start: 0, count: start }),
      ...overlaps([range], { start: start + count, count: COUNT_MAX }),
    ]);
  return rest;
}
