import { SECTOR } from "../disk/bytes.ts";
import type { SectionReader } from "../text/section-reader.ts";
import { show } from "../text/parser.ts";
import type { ConfigSection } from "../text/parser.ts";
import type { PhysicalVolume } from "./group.ts";
import type { Area, Mapping, StripedMapping, UnknownMapping } from "./mappings.ts";

const COUNT_MAX = 2 ** 32 - 1;
const STRIPE_SIZE_SECTORS_MAX = 2 ** 31;

/** A run of a logical volume's extents that are laid out in one way. */
export interface Segment {
  readonly startExtent: number;
  readonly extentCount: number;
  /** As in the metadata: "striped", "thin-pool", "raid5_ls"… */
  readonly type: string;
  readonly mapping: Mapping;
  /** The segment as it was written. */
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
  const type = reader.string("type");
  return {
    startExtent,
    extentCount,
    type,
    mapping:
      type === "striped" || type === "linear"
        ? decodeStriped(reader, extentCount, physicalVolumes)
        : { kind: "unknown", reason: `has a segment of the type ${show(type)}` },
    section: reader.section,
  };
}

/** `stripes = ["pv0", 12, "pv1", 0]`: names of physical volumes (or of logical ones), each with its first extent. */
function decodeStriped(
  reader: SectionReader,
  extentCount: number,
  physicalVolumes: ReadonlyMap<string, PhysicalVolume>,
): StripedMapping | UnknownMapping {
  const stripeCount = reader.integer("stripe_count", 1, COUNT_MAX);
  const list = reader.list("stripes");
  if (list.length !== 2 * stripeCount)
    reader.fail(
      "stripe_count",
      `is ${stripeCount}, but stripes has ${list.length} values instead of two for each`,
    );
  if (extentCount % stripeCount !== 0)
    reader.fail("extent_count", `is ${extentCount}, which ${stripeCount} stripes do not share evenly`);
  const stripeSize =
    stripeCount === 1 ? 0 : reader.integer("stripe_size", 1, STRIPE_SIZE_SECTORS_MAX) * SECTOR;
  const areas: Area[] = [];
  for (let at = 0; at < list.length; at += 2) {
    const [name, startExtent] = [list[at], list[at + 1]];
    if (typeof name !== "string" || typeof startExtent !== "number" || startExtent < 0)
      reader.fail("stripes", "is not a list of names, each with an extent");
    const physicalVolume = physicalVolumes.get(name);
    if (physicalVolume === undefined)
      return { kind: "unknown", reason: `lies on ${show(name)}, which is not a physical volume` };
    areas.push({ kind: "physical", physicalVolume, startExtent, extentCount: extentCount / stripeCount });
  }
  return { kind: "striped", areas, stripeSize };
}
