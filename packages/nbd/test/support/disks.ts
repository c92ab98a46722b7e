import * as fc from "fast-check";
import { STACK_SIZE } from "./stack.ts";

export const BLOCK = 512;

/** A disk whose blocks are data where it says so. */
export function disk(runs: readonly { readonly isData: boolean; readonly blocks: number }[]): Uint8Array {
  const bytes = new Uint8Array(STACK_SIZE);
  let at = 0;
  for (const { isData, blocks } of runs) {
    const end = Math.min(STACK_SIZE, at + blocks * BLOCK);
    if (isData) bytes.fill(7, at, end);
    at = end;
  }
  return bytes;
}

/** Any such disk. */
export const disks: fc.Arbitrary<Uint8Array> = fc
  .array(fc.record({ isData: fc.boolean(), blocks: fc.integer({ min: 1, max: 600 }) }), { maxLength: 20 })
  .map(disk);
