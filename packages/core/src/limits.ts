import { CevError } from "./errors.ts";

/** What a layer takes. All in bytes; block sizes are powers of two. */
export interface Limits {
  /** A multiple of `logicalBlockSize`. */
  readonly size: number;
  /** Offsets and lengths of requests must be multiples of it. */
  readonly logicalBlockSize: number;
  /**
   * Below this the device itself reads, modifies and writes. A disk writes as much whole or not at all when the power goes; of anything
   * else that is no promise: over several disks it is the largest of theirs, over a file it is the file system's block, and a layer whose
   * blocks are larger than those below tells its own. Who depends on it says so to its users.
   */
  readonly physicalBlockSize: number;
  /** The largest request. */
  readonly ioLengthMax: number;
  /** Requests that are multiples of this, so aligned, are the fastest (a RAID's full stripe). */
  readonly ioLengthPreferred: number;
  /** Discards smaller than this, or not so aligned, may free nothing. */
  readonly discardGranularity: number;
}

/** Largest size and offset: 8 PiB less one byte is the last safe integer. */
export const SIZE_MAX: number = Number.MAX_SAFE_INTEGER;

/** Limits of a device of `size` bytes with everything else at its ordinary value. */
export function plainLimits(size: number, overrides: Partial<Limits> = {}): Limits {
  const logicalBlockSize = overrides.logicalBlockSize ?? 512;
  return checkLimits({
    logicalBlockSize,
    physicalBlockSize: logicalBlockSize,
    ioLengthMax: SIZE_MAX,
    ioLengthPreferred: Math.max(4096, logicalBlockSize),
    discardGranularity: logicalBlockSize,
    ...overrides,
    size,
  });
}

/** Returns the limits if they make sense, throws `CEV_INVALID` otherwise. */
export function checkLimits(limits: Limits): Limits {
  const { size, logicalBlockSize, physicalBlockSize, ioLengthMax } = limits;
  if (!isPowerOfTwo(logicalBlockSize))
    throw invalid(`logicalBlockSize ${logicalBlockSize} is not a power of two`);
  if (!isPowerOfTwo(physicalBlockSize) || physicalBlockSize < logicalBlockSize) {
    throw invalid(`physicalBlockSize ${physicalBlockSize} is not a power of two from ${logicalBlockSize} on`);
  }
  if (!Number.isSafeInteger(size) || size < 0 || size % logicalBlockSize !== 0) {
    throw invalid(`size ${size} is not a whole number of blocks of ${logicalBlockSize} bytes`);
  }
  if (!(ioLengthMax >= logicalBlockSize)) throw invalid(`ioLengthMax ${ioLengthMax} is less than one block`);
  return limits;
}

/**
 * Limits of a layer of `size` bytes over several: it takes what all of them take. Block sizes and granularities are the
 * largest, the longest request is the shortest of theirs.
 */
export function combineLimits(size: number, lowers: readonly Limits[]): Limits {
  const largest = (pick: (limits: Limits) => number): number => Math.max(...lowers.map(pick));
  const logicalBlockSize = largest((limits) => limits.logicalBlockSize);
  return checkLimits({
    size: size - (size % logicalBlockSize),
    logicalBlockSize,
    physicalBlockSize: largest((limits) => limits.physicalBlockSize),
    ioLengthMax: Math.min(...lowers.map((limits) => limits.ioLengthMax)),
    ioLengthPreferred: largest((limits) => limits.ioLengthPreferred),
    discardGranularity: largest((limits) => limits.discardGranularity),
  });
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}
