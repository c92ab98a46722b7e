import type { CachedReader } from "./cached-reader.ts";
import type { FileCalls } from "./file-calls.ts";

// Copying more takes longer than handing it to another thread, and others wait meanwhile.
const LENGTH_MAX = 65_536;
// Of a file that is not in the cache, so many reads are not even tried, for each that is.
const SKIPPED_MAX = 63;

/**
 * The system calls for a file on a device. A short read of what lies in page cache ends before it returns: the way to a thread
 * and back costs many times what the copy does. All else is left to `below`.
 */
export function cachedCalls(reader: CachedReader, below: FileCalls): FileCalls {
  // How many reads are left out after the next miss, and how many still are.
  let skippedNext = 0;
  let skippedLeft = 0;
  return {
    ...below,
    read(fd, data, at, length, offset, ended) {
      if (length > LENGTH_MAX) return below.read(fd, data, at, length, offset, ended);
      if (skippedLeft > 0) {
        skippedLeft--;
        return below.read(fd, data, at, length, offset, ended);
      }
      const count = reader.read(fd, data, at, length, offset);
      if (count > 0) {
        skippedNext = 0;
        return ended(null, count);
      }
      skippedLeft = skippedNext;
      skippedNext = Math.min(skippedNext * 2 + 1, SKIPPED_MAX);
      below.read(fd, data, at, length, offset, ended);
    },
  };
}
