import type { Level } from "./level.ts";
import { RAID5_LAYOUTS } from "./raid5.ts";

const RAID5: Level = {
  name: "raid5",
  number: 5,
  family: "parity",
  memberCountMin: 2,
  isRedundant: true,
  hasChunks: true,
  layoutDefault: () => 2,
  layoutName: (layout) => RAID5_LAYOUTS[layout]?.name ?? null,
  layoutNumber(name) {
    const found = RAID5_LAYOUTS.findIndex((layout) => layout.name === name);
    return found < 0 ? null : found;
  },
  sizeOf: ({ memberSizes, memberCount, chunkSize }) =>
    (memberSizes[0]! - (memberSizes[0]! % chunkSize)) * (memberCount - 1),
  syncSizeOf: ({ memberSizes }) => memberSizes[0]!,
  survives({ memberCount }, isPresent) {
    let missing = 0;
    for (let index = 0; index < memberCount; index++) if (!isPresent(index)) missing++;
    return missing <= 1;
  },
};

const LEVELS: readonly Level[] = [RAID5];

/** The level of this number in superblocks; null: there is none. */
export function levelOf(number: number): Level | null {
  return LEVELS.find((level) => level.number === number) ?? null;
}
