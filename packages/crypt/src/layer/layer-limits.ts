import { CevError, checkLimits } from "@cev/core";
import type { Environment, Layer, Limits } from "@cev/core";
import type { CryptSegment } from "../header/luks-volume.ts";

// A write needs as much memory of the layer's own as it is long: longer ones are cut before they come here.
const WRITE_LENGTH_MAX = 1024 * 1024;

/** What the plaintext of a segment takes. Throws `CEV_INVALID` for one that begins within a block of the lower device. */
export function limitsOf(lower: Layer, environment: Environment, segment: CryptSegment): Limits {
  const { limits } = lower;
  const { buffers } = environment;
  const logicalBlockSize = Math.max(limits.logicalBlockSize, segment.sectorSize);
  const toBlocks = (length: number): number => length - (length % logicalBlockSize);
  if (segment.offset % limits.logicalBlockSize !== 0) {
    throw new CevError(
      "CEV_INVALID",
      `the encrypted data begins at byte ${segment.offset}, within a block of ${limits.logicalBlockSize} bytes`,
      { source: lower.name },
    );
  }
  // A power of two that the pool can lend, or nothing would ever be written.
  const bufferMax = 2 ** Math.floor(Math.log2(Math.min(buffers.bytesMax, buffers.bufferLengthMax)));
  return checkLimits({
    size: toBlocks(segment.size ?? limits.size - segment.offset),
    logicalBlockSize,
    physicalBlockSize: Math.max(limits.physicalBlockSize, logicalBlockSize),
    ioLengthMax: Math.min(toBlocks(limits.ioLengthMax), WRITE_LENGTH_MAX, bufferMax),
    ioLengthPreferred: Math.max(limits.ioLengthPreferred, logicalBlockSize),
    discardGranularity: Math.max(limits.discardGranularity, logicalBlockSize),
  });
}
