import type { Level } from "./level.ts";

/** The same on every member. */
export const raid1: Level = {
  name: "raid1",
  number: 1,
  family: "mirror",
  memberCountMin: 1,
  isRedundant: true,
  hasChunks: false,
  layoutDefault: () => 0,
  layoutName: () => "",
  layoutNumber: () => null,
  sizeOf: ({ memberSizes }) => Math.min(...memberSizes),
  syncSizeOf: ({ memberSizes }) => Math.min(...memberSizes),
  survives({ memberCount }, isPresent) {
    for (let index = 0; index < memberCount; index++) if (isPresent(index)) return true;
    return false;
  },
};
