import { Random } from "@cev/test-kit";
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
  /** Disks that the test has made fail, and that have not been rebuilt since. */
  readonly lost: ReadonlySet<string>;
}

/** Random numbers that always say no. */
class Never extends Random {
  override chance(): boolean {
    return false;
  }
}

const NEVER = new Never(1);

/** What the disks hold if the power goes now. Changes nothing. */
export function imagesAfterCut(disks: readonly Disk[], kind: CutKind, random: Random): Uint8Array[] {
  return disks.map(({ platter }) => {
    switch (kind) {
      case "nothing lost":
        return platter.contents;
      case "all lost":
        return platter.imageAfterCut(NEVER);
      case "by sector":
        return platter.imageAfterCut(random);
      case "by disk":
        return random.chance(0.5) ? platter.contents : platter.imageAfterCut(NEVER);
    }
  });
}
