import { CevError, SIZE_MAX, checkLimits, combineLimits, combineSupport } from "@cev/core";
import type { Limits, Support } from "@cev/core";
import type { Geometry } from "../levels/level.ts";
import { memberSectors } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { MemberDevice } from "./member.ts";
import type { Personality } from "./personality.ts";

const SECTOR = 512;

/** The shape of an array, by its newest superblock and those of its members. */
export function geometryOf(superblock: Superblock, devices: readonly (MemberDevice | null)[]): Geometry {
  const { level, layout, chunkSectors, memberCount } = superblock;
  const memberSizes = Array.from(
    { length: memberCount },
    (_, index) => memberSectors(level > 0 ? superblock : (devices[index]?.superblock ?? superblock)) * SECTOR,
  );
  // RAID1 cuts nothing, whatever stands in the superblock.
  return { level, layout, chunkSize: level === 1 ? 0 : chunkSectors * SECTOR, memberCount, memberSizes };
}

/** What an array takes. Throws `CEV_INVALID` for members whose blocks do not fit it. */
export function limitsOf(
  devices: readonly MemberDevice[],
  personality: Personality,
  isParity: boolean,
): Limits {
  const { size, ioLengthPreferred } = personality;
  const lowers = devices.map((device) => device.layer.limits);
  for (const device of devices) checkBlocks(device);
  const combined = combineLimits(size, lowers);
  // Only whole stripes can be given back: their parity goes with them.
  const discardGranularity = isParity
    ? Math.max(combined.discardGranularity, ioLengthPreferred)
    : combined.discardGranularity;
  return checkLimits({ ...combined, ioLengthMax: SIZE_MAX, ioLengthPreferred, discardGranularity });
}

/** Throws `CEV_INVALID` where things on a device do not lie at whole blocks. */
export function checkBlocks({ name, layer, superblock }: MemberDevice): void {
  const { logicalBlockSize } = layer.limits;
  const { dataOffsetSectors, superOffsetSectors, bitmapOffsetSectors, chunkSectors, level } = superblock;
  const places = [dataOffsetSectors, superOffsetSectors, bitmapOffsetSectors, level === 1 ? 0 : chunkSectors];
  // Metadata is written in pages.
  if (logicalBlockSize <= 4096 && places.every((sectors) => (sectors * SECTOR) % logicalBlockSize === 0))
    return;
  throw new CevError(
    "CEV_INVALID",
    `${name} has blocks of ${logicalBlockSize} bytes, to which the array is not aligned`,
    { source: name, hint: "put the image on a device of smaller blocks" },
  );
}

/** What an array offers. */
export function arraySupport(
  devices: readonly MemberDevice[],
  personality: Personality,
  isReadOnly: boolean,
): Support {
  const { read, write, flush, fua } = combineSupport(devices.map((device) => device.layer.support));
  if (isReadOnly || write === "none")
    return { read, write: "none", flush: "none", discard: "none", writeZeroes: "none", fua: "none" };
  const discard = personality.hasDiscard ? "native" : "none";
  return { read, write, flush, fua, discard, writeZeroes: personality.hasWriteZeroes ? "native" : "none" };
}
