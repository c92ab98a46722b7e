import { SECTOR } from "../disk/bytes.ts";
import { show } from "../text/parser.ts";
import type { ConfigScalar } from "../text/parser.ts";
import type { SectionReader } from "../text/section-reader.ts";
import { isRaid0 } from "./encode-mapping.ts";
import type { PhysicalVolume } from "./group.ts";
import type {
  Area,
  Mapping,
  MirrorMapping,
  RaidMapping,
  RaidMember,
  SnapshotMapping,
  StripedMapping,
  ThinMapping,
  ThinPoolMapping,
} from "./mappings.ts";

const COUNT_MAX = 2 ** 32 - 1;
const SECTORS_MAX = 2 ** 31;
/** dm-raid takes no more members. */
const MEMBERS_MAX = 253;
/** Identifiers of thin volumes have 24 bits. */
const DEVICE_ID_MAX = 2 ** 24 - 1;

/** A segment of whose type the rest is to be decoded. */
export interface SegmentText {
  readonly reader: SectionReader;
  readonly type: string;
  readonly typeFlags: readonly string[];
  readonly extentCount: number;
  /** By their names in the text. */
  readonly physicalVolumes: ReadonlyMap<string, PhysicalVolume>;
}

type Decode = (segment: SegmentText) => Mapping;

/** As LVM2 names them; those without a layout have its default: raid5 is raid5_ls, raid6 raid6_zr, raid10 raid10_near. */
const RAID_TYPES: readonly string[] = [
  ...["raid0", "raid0_meta", "raid1", "raid10", "raid10_near", "raid4"],
  ...["raid5", "raid5_n", "raid5_la", "raid5_ls", "raid5_ra", "raid5_rs"],
  ...["raid6", "raid6_nc", "raid6_nr", "raid6_zr"],
  ...["raid6_la_6", "raid6_ls_6", "raid6_ra_6", "raid6_rs_6", "raid6_n_6"],
];

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["striped", decodeStriped],
  ["linear", decodeStriped],
  ["error", () => ({ kind: "error" })],
  ["zero", () => ({ kind: "zero" })],
  ["mirror", decodeMirror],
  ["snapshot", decodeSnapshot],
  ["thin-pool", decodeThinPool],
  ["thin", decodeThin],
  ...RAID_TYPES.map((type): [string, Decode] => [type, decodeRaid]),
]);

/** What would be needed for types that are known by name only. */
const NEEDED: ReadonlyMap<string, string> = new Map([
  ["cache", "an engine for dm-cache"],
  ["cache-pool", "an engine for dm-cache"],
  ["writecache", "an engine for dm-writecache"],
  ["integrity", "an engine for dm-integrity"],
  ["vdo", "an engine for VDO, which deduplicates and compresses"],
  ["vdo-pool", "an engine for VDO, which deduplicates and compresses"],
  ["raid10_far", "a RAID engine with this layout"],
  ["raid10_offset", "a RAID engine with this layout"],
]);

/** What stands behind a type and says where a reshape is. */
const RESHAPE_FLAGS: readonly string[] = [
  "RESHAPE",
  "RESHAPE_DATA_OFFSET",
  "RESHAPE_DELTA_DISKS_PLUS",
  "RESHAPE_DELTA_DISKS_MINUS",
  "REMOVE_AFTER_RESHAPE",
];

/** Decodes what a segment is, by its type. Throws a `TextError`; a type that is not known is kept as `unknown`. */
export function decodeMapping(segment: SegmentText): Mapping {
  const { type, typeFlags } = segment;
  const decode = DECODERS.get(type);
  if (decode === undefined) {
    const needed = NEEDED.get(type);
    const rest = needed === undefined ? "" : `; that needs ${needed}`;
    return { kind: "unknown", reason: `has a segment of the type ${show(type)}${rest}` };
  }
  const flag = typeFlags.find((one) => !isKnownFlag(type, one));
  if (flag !== undefined)
    return { kind: "unknown", reason: `has a segment of the type ${show(`${type}+${flag}`)}` };
  return decode(segment);
}

function isKnownFlag(type: string, flag: string): boolean {
  if (type === "thin-pool") return flag === "CROP_METADATA";
  return type.startsWith("raid") && RESHAPE_FLAGS.includes(flag);
}

/** `stripes = ["pv0", 12, "pv1", 0]`: names of physical volumes (or of logical ones), each with its first extent. */
function decodeStriped(segment: SegmentText): StripedMapping {
  const { reader, extentCount } = segment;
  const stripeCount = reader.integer("stripe_count", 1, COUNT_MAX);
  const list = areaList(reader, "stripes", stripeCount, "stripe_count");
  if (extentCount % stripeCount !== 0)
    reader.fail("extent_count", `is ${extentCount}, which ${stripeCount} stripes do not share evenly`);
  const stripeSize = stripeCount === 1 ? 0 : reader.integer("stripe_size", 1, SECTORS_MAX) * SECTOR;
  return {
    kind: "striped",
    areas: decodeAreas(segment, "stripes", list, extentCount / stripeCount),
    stripeSize,
  };
}

/** The images of a mirror; of old ones, and where extents are being moved, they lie on physical volumes. */
function decodeMirror(segment: SegmentText): MirrorMapping {
  const { reader, extentCount } = segment;
  const list = areaList(reader, "mirrors", reader.integer("mirror_count", 1, COUNT_MAX), "mirror_count");
  const log = optionalName(reader, "mirror_log");
  const regionSize = reader.integer("region_size", 0, SECTORS_MAX, 0) * SECTOR;
  if (log !== null && regionSize === 0) reader.fail("mirror_log", "needs a region_size");
  return {
    kind: "mirror",
    images: decodeAreas(segment, "mirrors", list, extentCount),
    log,
    regionSize,
    extentsMoved: reader.has("extents_moved") ? reader.integer("extents_moved", 0, extentCount) : null,
  };
}

function areaList(
  reader: SectionReader,
  key: string,
  count: number,
  countKey: string,
): readonly ConfigScalar[] {
  const list = reader.list(key);
  if (list.length !== 2 * count)
    reader.fail(countKey, `is ${count}, but ${key} has ${list.length} values instead of two for each`);
  return list;
}

function decodeAreas(
  { reader, physicalVolumes }: SegmentText,
  key: string,
  list: readonly ConfigScalar[],
  extentCount: number,
): Area[] {
  const areas: Area[] = [];
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at];
    const startExtent = list[at + 1];
    if (typeof name !== "string" || typeof startExtent !== "number" || startExtent < 0)
      return reader.fail(key, "is not a list of names, each with an extent");
    const physicalVolume = physicalVolumes.get(name);
    areas.push(
      physicalVolume === undefined
        ? { kind: "logical", volume: name, startExtent, extentCount }
        : { kind: "physical", physicalVolume, startExtent, extentCount },
    );
  }
  return areas;
}

/** `raids = ["r_rmeta_0", "r_rimage_0", …]`, without superblocks `raid0_lvs = ["r_rimage_0", …]`. */
function decodeRaid({ reader, type, typeFlags }: SegmentText): RaidMapping {
  const countKey = isRaid0(type) ? "stripe_count" : "device_count";
  const memberCount = reader.integer(countKey, 1, MEMBERS_MAX);
  const key = type === "raid0" ? "raid0_lvs" : "raids";
  const names = reader.strings(key);
  const hasMeta = names.length === 2 * memberCount;
  if (!hasMeta && names.length !== memberCount)
    reader.fail(countKey, `is ${memberCount}, but ${key} has ${names.length} names`);
  const members = Array.from({ length: memberCount }, (_, index): RaidMember =>
    hasMeta ? { meta: names[2 * index]!, data: names[2 * index + 1]! } : { meta: null, data: names[index]! },
  );
  const isStriped = type !== "raid1";
  return {
    kind: "raid",
    members,
    stripeSize: isStriped
      ? reader.integer("stripe_size", 1, SECTORS_MAX) * SECTOR
      : reader.integer("stripe_size", 0, SECTORS_MAX, 0) * SECTOR,
    regionSize: reader.integer("region_size", 0, SECTORS_MAX, 0) * SECTOR,
    copyCount: reader.integer("data_copies", 0, memberCount, 0),
    hindrance: raidHindrance(reader, typeFlags),
  };
}

function raidHindrance(reader: SectionReader, typeFlags: readonly string[]): string | null {
  if (typeFlags.length > 0) return "is being reshaped; let LVM2 finish that";
  if (reader.has("data_offset"))
    return "was reshaped, and its data begin at an offset; only LVM2 can open it";
  return null;
}

function decodeSnapshot({ reader }: SegmentText): SnapshotMapping {
  const isMerging = reader.has("merging_store");
  if (isMerging && reader.has("cow_store")) reader.fail("merging_store", "stands beside a cow_store");
  return {
    kind: "snapshot",
    origin: reader.string("origin"),
    store: reader.string(isMerging ? "merging_store" : "cow_store"),
    chunkSize: reader.integer("chunk_size", 1, SECTORS_MAX) * SECTOR,
    isMerging,
  };
}

function decodeThinPool({ reader }: SegmentText): ThinPoolMapping {
  return {
    kind: "thin-pool",
    metadata: reader.string("metadata"),
    data: reader.string("pool"),
    transactionId: reader.integer("transaction_id", 0, Number.MAX_SAFE_INTEGER),
    chunkSize: reader.integer("chunk_size", 1, SECTORS_MAX) * SECTOR,
  };
}

function decodeThin({ reader }: SegmentText): ThinMapping {
  return {
    kind: "thin",
    pool: reader.string("thin_pool"),
    transactionId: reader.integer("transaction_id", 0, Number.MAX_SAFE_INTEGER),
    deviceId: reader.integer("device_id", 0, DEVICE_ID_MAX),
    externalOrigin: optionalName(reader, "external_origin"),
    origin: optionalName(reader, "origin"),
    merge: optionalName(reader, "merge"),
  };
}

function optionalName(reader: SectionReader, key: string): string | null {
  return reader.has(key) ? reader.string(key) : null;
}
