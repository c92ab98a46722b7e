import { foreignFunction } from "./foreign-function.ts";

/** Finds the holes of an open file, where the platform has a way to ask for them. It moves the file's own offset, which nobody uses. */
export interface HoleFinder {
  /** The first byte at or after `offset` that is data; -1: there is none, or no answer. */
  nextData(fd: number, offset: number): number;
  /** The first byte at or after `offset` that is in a hole, the end of the file at last; -1: no answer, or past the end. */
  nextHole(fd: number, offset: number): number;
  /** Where the file ends; -1: no answer. */
  end(fd: number): number;
}

// Of lseek(2), on Linux.
const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** `lseek(2)` through `node:ffi`, where there are both; else null. */
export function findHoleFinder(): HoleFinder | null {
  try {
    const seek = foreignFunction("lseek", { arguments: ["i32", "i64", "i32"], return: "i64" });
    // The module is experimental: it is used when it does what it is expected to, here with a file that cannot be.
    if (seek?.(-1, 0n, SEEK_DATA) !== -1n) return null;
    const call = (fd: number, offset: number, whence: number): number =>
      Number(seek(fd, BigInt(offset), whence));
    return {
      nextData: (fd, offset) => call(fd, offset, SEEK_DATA),
      nextHole: (fd, offset) => call(fd, offset, SEEK_HOLE),
      end: (fd) => call(fd, 0, SEEK_END),
    };
  } catch {
    return null;
  }
}
