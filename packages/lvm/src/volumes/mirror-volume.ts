import { CevError, closeTree, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import type { LogicalVolume } from "../model/group.ts";
import type { Area, MirrorMapping } from "../model/mappings.ts";
import { notOpened } from "./check-segments.ts";
import { countBits } from "./mirror/log-format.ts";
import { MirrorLayer } from "./mirror/mirror-layer.ts";
import { readLogBits } from "./mirror/region-log.ts";
import type { SegmentAreas, SegmentPlan } from "./segment-parts.ts";
import type { VolumeTree } from "./volume-tree.ts";

/** LVM2's default, for mirrors that do not say: only where no log on disk counts by it. */
const REGION_SIZE_DEFAULT = 2 * 1024 * 1024;
/** The log's bits are kept in memory: 16 MiB of them. */
const REGIONS_MAX = 2 ** 27;

/** Makes the layer below a mirror segment. */
export async function mirrorLayer(
  tree: VolumeTree,
  volume: LogicalVolume,
  { segment, mapping, path }: SegmentPlan<MirrorMapping>,
): Promise<SegmentAreas> {
  if (mapping.extentsMoved !== null) return movedExtents(tree, volume, { segment, mapping, path });
  const { parts, missing } = tree;
  const name = tree.nameOf(volume);
  const size = segment.extentCount * parts.group.extentSize;
  const images: (Layer | null)[] = [];
  for (const area of mapping.images)
    images.push(missing.ofArea(area) === null ? await imageOf(tree, volume, area, path) : null);
  const isLogMissing = mapping.log !== null && missing.ofName(mapping.log) !== null;
  if (images.every((image) => image === null))
    throw new CevError("CEV_DEGRADED", `${name} cannot be opened: all its images are missing`);
  const logVolume = mapping.log === null || isLogMissing ? null : tree.volume(mapping.log);
  const log = logVolume === null ? null : await tree.layerOf(logVolume, path);
  const regionSize = regionSizeOf(name, mapping, size);
  const isDegraded = isLogMissing || images.includes(null);
  const layer = new MirrorLayer({
    name,
    environment: parts.environment,
    size,
    regionSize,
    images,
    log,
    isLogMissing,
    isForced: parts.isForced,
    isReadOnly: tree.isReadOnly || (isDegraded && !parts.canWriteDegraded),
    report: parts.report,
  });
  const { regionCount } = layer;
  const preview = logVolume === null ? null : await (tree.preview ?? tree).layerOf(logVolume, path);
  const syncedCount = preview === null ? 0 : await cleanCount(tree, preview, regionCount);
  tree.note(volume, {
    state: isDegraded ? "degraded" : syncedCount === regionCount ? "in sync" : "not in sync",
    details: {
      regionSize,
      regionCount,
      cleanCount: syncedCount,
      missingImages: images.flatMap((image, index) => (image === null ? [index] : [])),
      isLogMissing,
    },
  });
  return { areas: [{ lower: layer, start: 0 }], stripeSize: 0 };
}

/**
 * Extents that are being moved: the second image counts once all of the segment has been copied. Before that it is the first
 * alone; whoever goes on with the move copies the whole segment anew.
 */
async function movedExtents(
  tree: VolumeTree,
  volume: LogicalVolume,
  { segment, mapping, path }: SegmentPlan<MirrorMapping>,
): Promise<SegmentAreas> {
  const index = mapping.extentsMoved === segment.extentCount ? 1 : 0;
  const area = mapping.images[index];
  if (area === undefined) throw notOpened(tree.nameOf(volume), "is being moved to nowhere");
  const lack = tree.missing.ofArea(area);
  if (lack !== null)
    throw new CevError(
      "CEV_DEGRADED",
      `${tree.nameOf(volume)} cannot be opened: it was being moved, and the side that counts lies on ${lack.uuids.join(", ")}, which is missing`,
    );
  return { areas: [await tree.areaOf(area, path)], stripeSize: 0 };
}

/** An image as a device of its own, as long as the segment. */
async function imageOf(
  tree: VolumeTree,
  volume: LogicalVolume,
  area: Area,
  path: readonly LogicalVolume[],
): Promise<Layer> {
  const length = area.extentCount * tree.parts.group.extentSize;
  const areas = [await tree.areaOf(area, path)];
  return tree.layerOver(volume, [{ start: 0, length, areas, stripeSize: 0 }]);
}

function regionSizeOf(name: string, { regionSize, log }: MirrorMapping, size: number): number {
  if (regionSize === 0 && log !== null) throw notOpened(name, "has a log, but no size of regions");
  const wanted = regionSize === 0 ? REGION_SIZE_DEFAULT : regionSize;
  if (size / wanted > REGIONS_MAX) throw notOpened(name, `has regions of ${wanted} bytes, too many of them`);
  return wanted;
}

/** How many regions the log calls clean, before the volume is opened. */
async function cleanCount({ parts }: VolumeTree, log: Layer, regionCount: number): Promise<number> {
  await openTree(log);
  try {
    const { environment } = parts;
    return countBits(await readLogBits({ environment, layer: log, regionCount }), regionCount);
  } finally {
    await closeTree(log);
  }
}
