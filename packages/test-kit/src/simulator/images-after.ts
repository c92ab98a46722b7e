import type { Random } from "../random.ts";
import type { SimulatedDisk } from "./rig.ts";
import type { CutPolicy } from "./step.ts";

/** The power goes: what the disks hold then. They are not to be used any more. */
export function imagesAfter(
  disks: readonly SimulatedDisk[],
  policy: CutPolicy,
  random: Random,
): Uint8Array[] {
  return disks.map(({ platter }) => {
    if (policy !== "disks") return platter.takeAfterCut(random, policy);
    return platter.takeAfterCut(random, random.chance(0.5) ? "all" : "none");
  });
}
