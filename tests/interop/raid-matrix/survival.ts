import type { ArrayCase } from "./cases.ts";

/**
 * The sets of members (indices) an array does without, the empty set first, smaller ones before larger. Told from where
 * the copies lie, by trying: nothing here is taken from the code under test.
 */
export function survivableSets(array: ArrayCase): readonly (readonly number[])[] {
  const { memberCount } = array;
  const sets: number[][] = [];
  for (let mask = 0; mask < 2 ** memberCount; mask++) {
    const missing = Array.from({ length: memberCount }, (_, index) => index).filter(
      (index) => (mask & (1 << index)) !== 0,
    );
    if (isSurvived(array, missing)) sets.push(missing);
  }
  return sets.sort((a, b) => a.length - b.length);
}

function isSurvived({ level, layout, memberCount }: ArrayCase, missing: readonly number[]): boolean {
  switch (level) {
    case "1":
      return missing.length < memberCount;
    case "4":
    case "5":
      return missing.length <= 1;
    case "6":
      return missing.length <= 2;
    case "10":
      return copiesOf(layout, memberCount).every((copies) =>
        copies.some((index) => !missing.includes(index)),
      );
    default:
      return missing.length === 0;
  }
}

/** RAID10: for as many chunks as it takes until the pattern repeats, the members that hold a copy. */
function copiesOf(layout: string, memberCount: number): number[][] {
  const copyCount = Number(layout.slice(1));
  return Array.from({ length: memberCount }, (_, chunk) => {
    // Near: the copies of one chunk, then those of the next. Far and offset: each further copy one member on.
    const first = layout.startsWith("n") ? chunk * copyCount : chunk;
    return Array.from({ length: copyCount }, (_, copy) => (first + copy) % memberCount);
  });
}
