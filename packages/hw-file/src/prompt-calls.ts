import { writeSync } from "node:fs";
import type { Clock } from "@cev/core";
import type { FileCalls } from "./file-calls.ts";

/** As `writeSync` of `node:fs`: bytes that were written, or an error of the system is thrown. */
type WriteNow = (fd: number, data: Uint8Array, at: number, length: number, offset: number) => number;

// Copying more takes longer than handing it to another thread, and others wait meanwhile.
const LENGTH_MAX = 65_536;
// Into page cache it takes microseconds: what takes so long has waited for the device.
const SLOW_MS = 1;
// Of the time of the program, waiting takes at most one part in so many.
const PAUSE_FACTOR = 100;

/**
 * The system calls of a file whose short writes may hold up the program: they are done before `write` returns. Where one of them
 * took long, the next go to a thread, for a hundred times as long.
 */
export function promptCalls(below: FileCalls, clock: Clock, writeNow: WriteNow = writeSync): FileCalls {
  let slowUntil = Number.NEGATIVE_INFINITY;
  return {
    ...below,
    write(fd, data, at, length, offset, ended) {
      const begunAt = clock.now();
      if (length > LENGTH_MAX || begunAt < slowUntil) return below.write(fd, data, at, length, offset, ended);
      let error: NodeJS.ErrnoException | null = null;
      let count = 0;
      try {
        count = writeNow(fd, data, at, length, offset);
      } catch (thrown) {
        error = thrown as NodeJS.ErrnoException;
      }
      const endedAt = clock.now();
      const taken = endedAt - begunAt;
      if (taken >= SLOW_MS) slowUntil = endedAt + taken * PAUSE_FACTOR;
      ended(error, count);
    },
  };
}
