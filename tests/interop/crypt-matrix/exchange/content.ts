import { hashText } from "../../matrix/hash.ts";
import { Random } from "../../src/random.ts";
import type { Recipe } from "../recipe.ts";

const MIB = 1024 * 1024;
const HALF = 2 * MIB;

/** The bytes that devices are filled with, from some place on: random, and the same in every run. */
export const CONTENT = new Random(1).bytes(2 * HALF);

/** Where in `CONTENT` begins what the kernel fills a device with first, and what it fills it with at the end. */
export function contentStart(id: string): { readonly made: number; readonly second: number } {
  const made = hashText(`content of ${id}`) % (HALF / 2);
  return { made, second: HALF + made };
}

/** What the places of a device hold, one after the other. */
export function contentOf({ places }: Recipe, start: number): Uint8Array {
  const length = places.reduce((sum, place) => sum + place.length, 0);
  return CONTENT.slice(start, start + length);
}
