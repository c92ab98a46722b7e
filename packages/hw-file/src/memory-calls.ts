import { fdatasyncSync, readSync, writeSync } from "node:fs";
import { systemCalls } from "./file-calls.ts";
import type { CallEnded, FileCalls } from "./file-calls.ts";

// Copying more takes longer than handing it to another thread, and others wait meanwhile.
const LENGTH_MAX = 65_536;

/**
 * The system calls for a file that lies in memory. A short one ends before it returns: nothing there waits for a device, and
 * the way to a thread and back costs several times what a copy of 4 KiB does.
 */
export const memoryCalls: FileCalls = {
  read(fd, data, at, length, offset, ended) {
    if (length > LENGTH_MAX) return systemCalls.read(fd, data, at, length, offset, ended);
    let count = 0;
    try {
      count = readSync(fd, data, at, length, offset);
    } catch (error) {
      return fail(ended, error);
    }
    ended(null, count);
  },
  write(fd, data, at, length, offset, ended) {
    if (length > LENGTH_MAX) return systemCalls.write(fd, data, at, length, offset, ended);
    let count = 0;
    try {
      count = writeSync(fd, data, at, length, offset);
    } catch (error) {
      return fail(ended, error);
    }
    ended(null, count);
  },
  readv: (fd, parts, offset, ended) => systemCalls.readv(fd, parts, offset, ended),
  writev: (fd, parts, offset, ended) => systemCalls.writev(fd, parts, offset, ended),
  fdatasync(fd, ended) {
    try {
      fdatasyncSync(fd);
    } catch (error) {
      return ended(error as NodeJS.ErrnoException);
    }
    ended(null);
  },
};

function fail(ended: CallEnded, error: unknown): void {
  ended(error as NodeJS.ErrnoException, 0);
}
