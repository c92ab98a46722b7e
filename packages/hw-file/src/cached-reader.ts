import { endianness } from "node:os";
import { addressOf, foreignFunction } from "./foreign-function.ts";

/** Reads what the system has in its page cache, and only that: it never waits for a device. */
export interface CachedReader {
  /** How many bytes were there, from the first on; 0: none, or no answer, and the system has to be asked otherwise. */
  read(fd: number, data: Uint8Array, at: number, length: number, offset: number): number;
}

// Of preadv2(2), on Linux.
const NO_WAIT = 8;

/** `preadv2(2)` with `RWF_NOWAIT` through `node:ffi`, where there are both; else null. */
export function findCachedReader(): CachedReader | null {
  try {
    const signature = { arguments: ["i32", "buffer", "i32", "i64", "i32"], return: "i64" };
    const preadv2 = endianness() === "LE" ? foreignFunction("preadv2", signature) : null;
    const address = addressOf();
    // An iovec: the address and the length, each of 64 bits.
    const part = new Uint32Array(4);
    const partBytes = new Uint8Array(part.buffer);
    // The module is experimental: it is used when it does what it is expected to, here with a file that cannot be.
    if (address === null || preadv2?.(-1, partBytes, 1, 0n, NO_WAIT) !== -1n) return null;
    return {
      read(fd, data, at, length, offset) {
        if (at + length > data.length) return 0;
        // An address has 57 bits at most, and 47 unless more are asked for: a number holds it.
        const start = Number(address(data)) + at;
        part[0] = start % 2 ** 32;
        part[1] = start / 2 ** 32;
        part[2] = length;
        return Math.max(0, Number(preadv2(fd, partBytes, 1, BigInt(offset), NO_WAIT)));
      },
    };
  } catch {
    return null;
  }
}
