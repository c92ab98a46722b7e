import { CevError } from "@cev/core";
import type { Layer, MappedSegment } from "@cev/core";

/** Checks that segments lie on their lowers and keep the alignment that requests to the volume will have. */
export function checkSegments(
  name: string,
  segments: readonly MappedSegment[],
  names: ReadonlyMap<Layer, string>,
): void {
  const nameOf = (layer: Layer): string => names.get(layer) ?? layer.name;
  let blockSize = 512;
  for (const { areas } of segments)
    for (const { lower } of areas) blockSize = Math.max(blockSize, lower.limits.logicalBlockSize);
  for (const { length, areas, stripeSize } of segments) {
    const areaLength = length / areas.length;
    for (const { lower, start } of areas) {
      if (start + areaLength > lower.limits.size)
        throw notOpened(
          name,
          `reaches to byte ${start + areaLength} of ${nameOf(lower)}, which ends at ${lower.limits.size}`,
        );
      if (start % lower.limits.logicalBlockSize !== 0 || length % blockSize !== 0)
        throw notOpened(
          name,
          `has extents on ${nameOf(lower)} that are not aligned to its blocks of ${blockSize} bytes`,
        );
    }
    if (areas.length > 1 && (areaLength % stripeSize !== 0 || stripeSize % blockSize !== 0))
      throw notOpened(
        name,
        `has stripes of ${stripeSize} bytes, which fit neither its extents nor its blocks`,
      );
  }
}

/** The error of a volume that its metadata does not allow to be opened. */
export function notOpened(name: string, reason: string): CevError {
  return new CevError("CEV_BAD_METADATA", `${name} cannot be opened: it ${reason}`);
}
