import { SECTOR } from "../disk/bytes.ts";
import type { PvScan } from "../disk/scan.ts";
import type { AssembledGroup } from "./assemble.ts";

/** Why a write to a group's volumes could destroy its own metadata: extents that lie over them; null: none do. */
export function ownPlacesAmongExtents(
  { group, members }: AssembledGroup,
  scans: readonly PvScan[],
): string | null {
  for (const { physicalVolume, scanIndex } of members) {
    if (scanIndex === null) continue;
    const { label, source } = scans[scanIndex]!;
    const { dataOffset, extentCount } = physicalVolume;
    const end = dataOffset + extentCount * group.extentSize;
    if (extentCount === 0) continue;
    if (dataOffset < (label.sector + 1) * SECTOR)
      return `the extents of ${source.name} begin at byte ${dataOffset}, which is not behind its label`;
    const index = label.metadataAreas.findIndex(
      ({ offset, size }) => offset < end && offset + size > dataOffset,
    );
    if (index >= 0) return `metadata area ${index} of ${source.name} lies among its extents`;
  }
  return null;
}
