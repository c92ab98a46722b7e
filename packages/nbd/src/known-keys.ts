import { CevError } from "@cev/core";

/** All keys of some settings: one that is missing or too much does not compile. */
export type Known<T extends object> = { readonly [Key in keyof Required<T>]: true };

/**
 * Throws `CEV_INVALID` for a key that is not known: whoever writes `readOnly` for `isReadOnly` is not to find out by what was
 * written since. `whose`: such as "of NbdServer".
 */
export function refuseUnknown(settings: object, known: Readonly<Record<string, true>>, whose: string): void {
  for (const key of Object.keys(settings)) {
    if (Object.hasOwn(known, key)) continue;
    throw new CevError("CEV_INVALID", `"${key}" is no option ${whose}`, {
      hint: hintFor(key, Object.keys(known)),
    });
  }
}

function hintFor(key: string, known: readonly string[]): string {
  const distances = known.map((each) => distance(key.toLowerCase(), each.toLowerCase()));
  const least = Math.min(...distances);
  // From there on nearly anything is as near.
  if (least > key.length / 2) return `there are ${known.join(", ")}`;
  return `did you mean ${known[distances.indexOf(least)]!}?`;
}

/** Letters to put in, take out or change to make one of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let line = 1; line <= from.length; line++) {
    const above = row;
    row = [line];
    for (let index = 1; index <= to.length; index++) {
      const change = above[index - 1]! + (from[line - 1] === to[index - 1] ? 0 : 1);
      row.push(Math.min(change, above[index]! + 1, row[index - 1]! + 1));
    }
  }
  return row.at(-1)!;
}
