import { availableParallelism, freemem, totalmem } from "node:os";

/** What of the machine bounds the cost of a new key. */
export interface Machine {
  /** Bytes of memory, and how many of them are free. */
  readonly memory: number;
  readonly memoryFree: number;
  readonly processors: number;
}

export function thisMachine(): Machine {
  return { memory: totalmem(), memoryFree: freemem(), processors: availableParallelism() };
}

const MIB = 2 ** 20;

/**
 * Bytes of memory that deriving a key should take here at most, as `cryptsetup` reckons: half of what there is; on a machine with
 * less than 4 GiB at most half of what is free, unless that is very little.
 */
export function memoryForKeys({ memory, memoryFree }: Machine): number {
  const half = memory / 2;
  const halfFree = memoryFree / 2;
  if (half < 2048 * MIB && halfFree > 64 * MIB) return Math.min(half, halfFree);
  return half;
}
