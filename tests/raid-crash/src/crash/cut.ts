import { Random } from "@cev/test-kit";
import { placesOfMember } from "../images/images.ts";
import type { Shape } from "../shape.ts";
import type { History } from "../work/history.ts";
import type { Disk } from "./rig.ts";

/** How a cut treats what was not made durable. */
export type CutKind = "nothing lost" | "all lost" | "by sector" | "by disk";

export const CUT_KINDS: readonly CutKind[] = ["nothing lost", "all lost", "by sector", "by disk"];

/** What is left when the power goes. */
export interface Cut {
  /** Which of the changes of its workload it came before. */
  readonly index: number;
  readonly kind: CutKind;
  /** By disk. */
  readonly images: readonly Uint8Array[];
  readonly history: History;
  /** What the array may look like: more than one while it grows. */
  readonly shapes: readonly Shape[];
  /** Disks that have failed and were not rebuilt since: they may be there, or not. */
  readonly outs: ReadonlySet<string>;
  /** A place in the array is empty, or not rebuilt. */
  readonly isDegraded: boolean;
}

/** Random numbers that always say no. */
class Never extends Random {
  override chance(): boolean {
    return false;
  }
}

const NEVER = new Never(1);

/** What the disks hold if the power goes now. Changes nothing. */
export function imagesAfterCut(
  shape: Shape,
  disks: readonly Disk[],
  kind: CutKind,
  random: Random,
): Uint8Array[] {
  return disks.map(({ platter }) => {
    const isKept = kind === "nothing lost" || (kind === "by disk" && random.chance(0.5));
    const image = kind === "by sector" ? platter.imageAfterCut(random) : isKept ? platter.contents : null;
    const durable = platter.imageAfterCut(NEVER);
    if (image === null) return durable;
    if (shape.version === "0.90") {
      // It has 4 KiB, which md writes with one request and takes to be written whole or not at all: torn in all members at
      // once, nothing is left of an array.
      const { superOffset } = placesOfMember(shape);
      const whole = kind === "nothing lost" || random.chance(0.5) ? platter.contents : durable;
      image.set(whole.subarray(superOffset, superOffset + 4096), superOffset);
    }
    return image;
  });
}
