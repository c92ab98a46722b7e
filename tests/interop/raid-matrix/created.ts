import type { ArrayCase } from "./cases.ts";

/** Has cev make an array on members full of garbage; their bytes, by member index. */
export function createArrayFor(array: ArrayCase, seed: number): Promise<Uint8Array[]> {
  throw new Error(`not there yet: ${array.id} ${seed}`);
}
