import type { StackDevice } from "@cev/stack";
import { detailOf, raidLayerOf } from "./array-detail.ts";
import type { ArrayDetail } from "./array-detail.ts";
import { RAID_DRIVER } from "./find-members.ts";

/** What `cev inspect` says of an array; null for anything else. */
export function arrayOf(record: StackDevice): ArrayDetail | null {
  return record.driver === RAID_DRIVER && raidLayerOf(record.layer) !== null ? detailOf(record) : null;
}

/** An array in a few lines: its shape, and each of its places. */
export function arrayLines(array: ArrayDetail): string[] {
  const shape = [
    `${array.level}${array.layout === null ? "" : ` ${array.layout}`}`,
    ...(array.chunkSize === 0 ? [] : [`chunks of ${array.chunkSize / 1024}K`]),
    `superblock ${array.metadata}`,
    array.state,
    `events ${array.events}`,
    ...bitmapWords(array),
    ...(array.reshape === null ? [] : [`reshape at byte ${array.reshape.position}`]),
  ];
  return [
    `${array.device}: ${shape.join(", ")}`,
    ...array.members.map(({ role, state, device, recoveredTo }) => {
      const isPart = recoveredTo !== null && array.usedSize !== null;
      const done = isPart ? ` (${Math.floor((100 * recoveredTo) / array.usedSize)}% rebuilt)` : "";
      return `  ${role ?? "-"} ${state}${device === null ? "" : `  ${device}`}${done}`;
    }),
    ...array.leftOut.map(({ device, reason }) => `  - left out  ${device} ${reason}`),
  ];
}

function bitmapWords({ bitmap }: ArrayDetail): string[] {
  return bitmap === null ? [] : [`bitmap ${bitmap.dirtyCount} of ${bitmap.bitCount} bits set`];
}
