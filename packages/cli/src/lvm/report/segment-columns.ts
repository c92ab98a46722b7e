import { poolOf } from "./attributes.ts";
import { FREE, segmentColumn, tagList } from "./column.ts";
import type { Column, SegmentOf } from "./column.ts";
import { areasOf, numberIn, stringIn } from "./group-view.ts";
import { shownName } from "./lv-columns.ts";

/** Columns about the segments of logical volumes. */
export const SEGMENT_COLUMNS: readonly Column[] = [
  segmentColumn("segtype", "Type", "text", typeOf),
  segmentColumn("stripes", "#Str", "number", ({ segment }) => areasOf(segment).length),
  segmentColumn("data_stripes", "#DStr", "number", dataStripes),
  segmentColumn("data_copies", "#Cpy", "number", dataCopies),
  segmentColumn("stripe_size", "Stripe", "size", ({ segment: { mapping } }) =>
    mapping.kind === "striped" || mapping.kind === "raid" ? mapping.stripeSize : 0,
  ),
  segmentColumn("region_size", "Region", "size", ({ segment: { mapping } }) =>
    mapping.kind === "mirror" || mapping.kind === "raid" ? mapping.regionSize : 0,
  ),
  segmentColumn("chunk_size", "Chunk", "size", ({ view, volume, segment: { mapping } }) =>
    mapping.kind === "thin-pool" ? mapping.chunkSize : (view.snapshotOn(volume.name)?.chunkSize ?? 0),
  ),
  segmentColumn("thin_count", "#Thins", "number", ({ view, volume, segment }) =>
    segment.mapping.kind === "thin-pool" ? view.thinCount(volume.name) : null,
  ),
  segmentColumn("discards", "Discards", "text", (one) => {
    const pool = poolSection(one);
    return pool === null ? "" : (stringIn(pool, "discards") ?? "ignore");
  }),
  segmentColumn("zero", "Zero", "flag", (one) => {
    const pool = poolSection(one);
    return pool === null ? "unknown" : numberIn(pool, "zero_new_blocks") === 1 ? "zero" : "";
  }),
  segmentColumn("transaction_id", "TransId", "number", ({ segment: { mapping } }) =>
    mapping.kind === "thin-pool" || mapping.kind === "thin" ? mapping.transactionId : null,
  ),
  segmentColumn("thin_id", "ThId", "number", ({ segment: { mapping } }) =>
    mapping.kind === "thin" ? mapping.deviceId : null,
  ),
  segmentColumn(
    "seg_start",
    "Start",
    "size",
    ({ view, segment }) => segment.startExtent * view.group.extentSize,
  ),
  segmentColumn("seg_start_pe", "Start", "number", ({ segment }) => segment.startExtent),
  segmentColumn(
    "seg_size",
    "SSize",
    "size",
    ({ view, segment }) => segment.extentCount * view.group.extentSize,
  ),
  segmentColumn("seg_size_pe", "SSize", "number", ({ segment }) => segment.extentCount),
  segmentColumn("seg_tags", "Seg Tags", "text", ({ segment }) => tagList(segment.tags)),
  segmentColumn("seg_pe_ranges", "PE Ranges", "text", (one) => ranges(one, false).join(" ")),
  segmentColumn("seg_le_ranges", "LE Ranges", "text", (one) => ranges(one, true).join(",")),
  segmentColumn("devices", "Devices", "text", (one) => devices(one).join(",")),
  segmentColumn("metadata_devices", "Metadata Devs", "text", ({ segment: { mapping } }) =>
    mapping.kind === "raid"
      ? mapping.members.flatMap(({ meta }) => (meta === null ? [] : [`${meta}(0)`])).join(",")
      : "",
  ),
];

/** One stripe is linear. */
function typeOf({ segment: { mapping, type } }: SegmentOf): string {
  return mapping.kind === "striped" && mapping.areas.length === 1 ? "linear" : type;
}

function parityCount(type: string): number {
  return type.startsWith("raid6") ? 2 : /^raid[45]/.test(type) ? 1 : 0;
}

function dataStripes({ segment }: SegmentOf): number {
  const count = areasOf(segment).length - parityCount(segment.type);
  return segment.type.startsWith("raid10") ? count / copiesOf10(segment) : count;
}

function dataCopies({ segment }: SegmentOf): number | null {
  const { type } = segment;
  if (type === FREE) return null;
  if (type === "raid1") return areasOf(segment).length;
  return type.startsWith("raid10") ? copiesOf10(segment) : parityCount(type) + 1;
}

function copiesOf10({ mapping }: SegmentOf["segment"]): number {
  return mapping.kind === "raid" && mapping.copyCount > 0 ? mapping.copyCount : 2;
}

function poolSection({ view, volume }: SegmentOf): SegmentOf["segment"]["section"] | null {
  return poolOf(view, volume)?.segments[0]?.section ?? null;
}

/** What a segment lies on, each with its first extent. */
function devices({ view, segment }: SegmentOf): string[] {
  return areasOf(segment).map((area) =>
    area.kind === "physical"
      ? `${view.deviceName(area.physicalVolume)}(${area.startExtent})`
      : `${area.volume}(0)`,
  );
}

/** The same with the last extent, too. A volume below counts as a whole. */
function ranges({ view, segment }: SegmentOf, isMarkingHidden: boolean): string[] {
  return areasOf(segment).map((area) => {
    if (area.kind === "physical") {
      const { startExtent, extentCount } = area;
      return `${view.deviceName(area.physicalVolume)}:${startExtent}-${startExtent + extentCount - 1}`;
    }
    const volume = view.volume(area.volume);
    if (volume === null) return `${area.volume}:0-0`;
    const name = isMarkingHidden ? shownName({ view, volume }) : volume.name;
    return `${name}:0-${volume.extentCount - 1}`;
  });
}
