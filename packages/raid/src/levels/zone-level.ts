import type { Geometry, Level } from "./level.ts";
import { wholeChunks } from "./member-size.ts";

/** What linear and RAID0 share: the array is as long as the whole chunks of all members, and bears no loss. */
export function zoneLevel(
  of: Pick<Level, "name" | "number">,
): Omit<Level, "hasChunks" | "layoutDefault" | "layoutName" | "layoutNumber"> {
  return {
    ...of,
    family: "zones",
    memberCountMin: 1,
    isRedundant: false,
    sizeOf: sumOfMembers,
    syncSizeOf: () => 0,
    survives: areAllPresent,
  };
}

function sumOfMembers({ memberSizes, chunkSize }: Geometry): number {
  let sum = 0;
  for (const size of memberSizes) sum += wholeChunks(size, chunkSize);
  return sum;
}

function areAllPresent({ memberCount }: Geometry, isPresent: (memberIndex: number) => boolean): boolean {
  for (let index = 0; index < memberCount; index++) if (!isPresent(index)) return false;
  return true;
}
