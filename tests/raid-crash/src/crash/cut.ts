import { Random } from "@cev/test-kit";
import { placesOfMember } from "../images/images.ts";
import type { Shape } from "../shape.ts";
import type { History } from "../work/history.ts";
import type { Disk } from "./rig.ts";

/** How a cut treats what was not made durable. */
export type CutKind = "nothing lost" | "all lost" | "by sector" | "by disk";

export const CUT_KINDS: readonly CutKind[] = ["nothing lost", "all lost", "by sector", "by disk"];

/** What a restart had read before the power went again. */
export interface Seen {
  /** What the blocks hold from then on. */
  readonly history: History;
  /** The members that it may have come from alone, as the resync was not through. */
  readonly from: ReadonlySet<string>;
}

/** What is left when the power goes. */
export interface Cut {
  /** Which of the changes of its workload it came before. */
  readonly index: number;
  readonly kind: CutKind;
  /** By disk. */
  readonly images: readonly Uint8Array[];
  readonly history: History;
  /** Null: nobody has read anything since the power went first. */
  readonly seen: Seen | null;
  /** What the array may look like: more than one while it grows. */
  readonly shapes: readonly Shape[];
  /** Disks that have failed and were not rebuilt since: they may be there, or not. */
  readonly outs: ReadonlySet<string>;
  /** A place in the array is empty, or not rebuilt. */
  readonly isDegraded: boolean;
}

/**
 * What may be read after a cut with these disks. What a restart read stays, but not whatever disks are taken away before the
 * resync that it began has ended: until then members differ where a write was cut short, either may hold what counts, and
 * no array makes it durable on the others before it lets it be read. What was flushed before the power went first holds
 * in any case.
 */
export function historyAfter({ history, seen }: Cut, names: readonly string[]): History {
  const isThere = seen !== null && [...seen.from].every((name) => names.includes(name));
  return (isThere ? seen.history : history).copy();
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
