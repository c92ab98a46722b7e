import { foreignFunction } from "./foreign-function.ts";

/** Gives up the memory a file takes, where the platform has a way to ask for it. */
export interface HolePuncher {
  /** The range reads as zeroes and takes no room. False: not here. */
  punch(fd: number, offset: number, length: number): boolean;
  /** The range reads as zeroes and keeps its room. False: not here. */
  zero(fd: number, offset: number, length: number): boolean;
}

// Of fallocate(2).
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;

/** `fallocate(2)` through `node:ffi`, where there are both; else null. */
export function findHolePuncher(): HolePuncher | null {
  try {
    const signature = { arguments: ["i32", "i32", "i64", "i64"], return: "i32" };
    const fallocate = foreignFunction("fallocate", signature);
    // The module is experimental: it is used when it does what it is expected to, here with a file that cannot be.
    if (fallocate?.(-1, KEEP_SIZE | PUNCH_HOLE, 0n, 1n) !== -1) return null;
    const call = (fd: number, mode: number, offset: number, length: number): boolean =>
      fallocate(fd, mode | KEEP_SIZE, BigInt(offset), BigInt(length)) === 0;
    return {
      punch: (fd, offset, length) => call(fd, PUNCH_HOLE, offset, length),
      zero: (fd, offset, length) => call(fd, ZERO_RANGE, offset, length),
    };
  } catch {
    return null;
  }
}
