import { Random } from "../random.ts";
import type { SimulatedDisk } from "./rig.ts";
import type { CutPolicy } from "./script.ts";

/** What the disks hold if the power goes now. Changes nothing. */
export function imagesAfter(
  disks: readonly SimulatedDisk[],
  policy: CutPolicy,
  random: Random,
): Uint8Array[] {
  return disks.map(({ platter }) => {
    const keepsAll = policy === "all" || (policy === "disks" && random.chance(0.5));
    if (keepsAll) return platter.contents;
    return platter.imageAfterCut(policy === "sectors" ? random : new Never(1));
  });
}

/** Random numbers that always say no. */
class Never extends Random {
  override chance(): boolean {
    return false;
  }
}
