import type { SectionReader } from "../text/section-reader.ts";
import type { ConfigSection } from "../text/parser.ts";
import { decodeMapping } from "./decode-mapping.ts";
import type { PhysicalVolume } from "./group.ts";
import type { Mapping } from "./mappings.ts";

const COUNT_MAX = 2 ** 32 - 1;

/** A run of a logical volume's extents that are laid out in one way. */
export interface Segment {
  readonly startExtent: number;
  readonly extentCount: number;
  /** As in the metadata: "striped", "thin-pool", "raid5_ra"… */
  readonly type: string;
  /** What stands behind the type, each behind a `+`: "RESHAPE", "METADATA_FORMAT"… A type with an unknown one is another type. */
  readonly typeFlags: readonly string[];
  readonly mapping: Mapping;
  readonly tags: readonly string[];
  /** The segment as it was written, with the keys that are not known; of a new one it is empty. */
  readonly section: ConfigSection;
}

/** Decodes the segments of a logical volume, in order of their extents. Throws a `TextError`. */
export function decodeSegments(
  volume: SectionReader,
  physicalVolumes: ReadonlyMap<string, PhysicalVolume>,
): Segment[] {
  const count = volume.integer("segment_count", 0, COUNT_MAX);
  const children = volume.children("segment").filter(({ name }) => name.startsWith("segment"));
  if (children.length !== count)
    volume.fail("segment_count", `is ${count}, but there are ${children.length} segments`);
  const decoded = children.map(({ reader }) => ({ reader, segment: decodeSegment(reader, physicalVolumes) }));
  decoded.sort((left, right) => left.segment.startExtent - right.segment.startExtent);
  let end = 0;
  for (const { reader, segment } of decoded) {
    if (segment.startExtent !== end)
      reader.fail("start_extent", `is ${segment.startExtent}, but the one before it ends at ${end}`);
    end += segment.extentCount;
    if (end > COUNT_MAX) reader.fail("extent_count", "makes the volume larger than any can be");
  }
  return decoded.map(({ segment }) => segment);
}

function decodeSegment(reader: SectionReader, physicalVolumes: ReadonlyMap<string, PhysicalVolume>): Segment {
  const startExtent = reader.integer("start_extent", 0, COUNT_MAX);
  const extentCount = reader.integer("extent_count", 1, COUNT_MAX);
  const [type, ...typeFlags] = reader.string("type").split("+") as [string, ...string[]];
  return {
    startExtent,
    extentCount,
    type,
    typeFlags,
    mapping: decodeMapping({ reader, type, typeFlags, extentCount, physicalVolumes }),
    tags: reader.strings("tags"),
    section: reader.section,
  };
}
