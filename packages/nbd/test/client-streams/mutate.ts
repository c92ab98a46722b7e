import type { Buffer } from "node:buffer";
import type { Chance } from "./chance.ts";

/** Where arithmetic goes wrong, as pairs of 32 bits. */
export const EDGES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 1],
  [0, 0x7fffffff],
  [0, 0x80000000],
  [0, 0xffffffff],
  [1, 0],
  [0x1fffff, 0xffffffff],
  [0x200000, 0],
  [0x7fffffff, 0xffffffff],
  [0xffffffff, 0xffffffff],
];

/**
 * Breaks the first `length` bytes in one of some ways, and gives their new length, which `lengthMax` bounds. `spare` is as long as
 * `bytes`, and its contents are lost.
 */
export function mutate(
  bytes: Buffer,
  spare: Buffer,
  length: number,
  { lengthMax, chance }: { readonly lengthMax: number; readonly chance: Chance },
): number {
  if (length < 2) return length;
  const at = chance.below(length);
  const run = 1 + chance.below(Math.min(length - at, 40));
  switch (chance.below(7)) {
    case 0:
      bytes[at]! ^= 1 << chance.below(8);
      return length;
    case 1:
      bytes[at] = chance.below(256);
      return length;
    case 2: // Inserts.
      if (length + run > lengthMax) return length;
      bytes.copyWithin(at + run, at, length);
      return length + run;
    case 3: // Cuts out, or off.
      if (chance.oneIn(2)) return at;
      bytes.copyWithin(at, at + run, length);
      return length - run;
    case 4: // Swaps two halves.
      bytes.copy(spare, 0, 0, length);
      spare.copy(bytes, 0, at, length);
      spare.copy(bytes, length - at, 0, at);
      return length;
    case 5: // Repeats.
      if (length + run > lengthMax) return length;
      bytes.copyWithin(length, at, at + run);
      return length + run;
    default: {
      const [high, low] = chance.pick(EDGES);
      if (at + 8 > length) return length;
      bytes.writeUInt32BE(high, at);
      bytes.writeUInt32BE(low, at + 4);
      return length;
    }
  }
}
