import type { Level } from "./level.ts";
import { zoneLevel } from "./zone-level.ts";

/** One member after the other. A chunk size, where one is given, only rounds the members' sizes. */
export const linear: Level = {
  ...zoneLevel({ name: "linear", number: -1 }),
  hasChunks: false,
  layoutDefault: () => 0,
  layoutName: () => "",
  layoutNumber: () => null,
};
