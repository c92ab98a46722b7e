import { linear, uuidOf } from "./group-image.ts";
import type { GroupRecipe } from "./group-image.ts";

/** UUIDs of physical volumes. */
export const A: string = uuidOf("a");
export const B: string = uuidOf("b");
export const C: string = uuidOf("c");

/** Two physical volumes with a volume on each and one on both. */
export const base: GroupRecipe = {
  pvs: [A, B],
  volumes: {
    left: linear(uuidOf("l"), [[4, "pv0", 0]]),
    right: linear(uuidOf("r"), [[4, "pv1", 0]]),
    both: linear(uuidOf("t"), [
      [4, "pv0", 10],
      [4, "pv1", 10],
    ]),
  },
};
