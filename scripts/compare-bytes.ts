/**
 * Vitest's setup of each test file: equality of bytes is told by one call, not byte by byte with all that `toEqual` asks of
 * each, which takes half a second for each MiB.
 */
import { Buffer } from "node:buffer";
import { expect } from "vitest";

expect.addEqualityTesters([
  (left: unknown, right: unknown): boolean | undefined => {
    if (!(left instanceof Uint8Array) || !(right instanceof Uint8Array)) return undefined;
    // A Buffer beside a plain array, and what is none of these, is judged as ever.
    if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return undefined;
    return Buffer.compare(left, right) === 0;
  },
]);
