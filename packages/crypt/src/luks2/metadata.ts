import type {
  CryptSegment,
  KeyDerivation,
  KeyDigest,
  Keyslot,
  LuksVolume,
  Pbkdf2,
} from "../header/luks-volume.ts";
import { BINARY_LENGTH } from "./header.ts";
import { JsonField } from "./json-field.ts";
import type { JsonPlace } from "./json-field.ts";

// The format's own bounds: numbers of keyslots, digests, segments and tokens count from 0 to 31.
const IDS_MAX = 32;
const KEY_SIZE_MAX = 512;
const STRIPES_MAX = 4000;
const SALT_LENGTH_MAX = 1024;
const UINT32_MAX = 0xffff_ffff;
const PRIORITIES = ["ignore", "normal", "prefer"] as const;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What the JSON area says, without what the binary header knows. */
export type Luks2Metadata = Omit<LuksVolume, "version" | "uuid" | "label" | "subsystem"> & {
  /** Bytes of the area behind both header copies in which the keyslots' areas lie. */
  readonly keyslotsSize: number;
};

/**
 * Decodes and checks the JSON area of one header copy (LUKS2 On-Disk Format Specification, chapter 3). Nothing in it is
 * trusted. Throws `CEV_BAD_METADATA` with the path of the field, and `CEV_UNKNOWN_FEATURE` for what is well-formed and
 * not known here: unknown requirements, reencryption under way, integrity.
 */
export function decodeLuks2Metadata(area: Uint8Array, place: JsonPlace): Luks2Metadata {
  const root = parseArea(area, place);
  const headerSize = area.length + BINARY_LENGTH;
  // First of all: without knowing these, nothing else can be judged.
  refuseRequirements(root.member("config"));
  const keyslotsSize = checkConfig(root.member("config"), headerSize);
  const keyslots: Keyslot[] = [];
  const slotIds: number[] = [];
  const areas: { readonly offset: number; readonly end: number }[] = [];
  for (const [id, field] of numbered(root.member("keyslots"))) {
    slotIds.push(id);
    areas.push(checkArea(field.member("area"), areas, headerSize, keyslotsSize));
    const slot = decodeKeyslot(id, field);
    if (slot !== null) keyslots.push(slot);
  }
  const segment = decodeSegments(root.member("segments"), 2 * headerSize);
  const digests = numbered(root.member("digests")).map(([id, field]) => decodeDigest(id, field, slotIds));
  const tokens = numbered(root.member("tokens")).map(([id, field]) => ({
    id,
    type: field.member("type").string(),
    keyslots: references(field.member("keyslots"), slotIds),
  }));
  if (!digests.some((digest) => digest.segments.includes(0)))
    throw root.member("digests").bad("no digest belongs to segment 0");
  const flags = root.member("config").member("flags");
  return {
    keyslotsSize,
    keyslots,
    segment,
    digests,
    tokens,
    flags: flags.isMissing ? [] : flags.items().map((flag) => flag.string()),
  };
}

/** The text up to the first NUL, parsed. All behind it must be zero. */
function parseArea(area: Uint8Array, place: JsonPlace): JsonField {
  const whole = new JsonField(undefined, "", place);
  const end = area.indexOf(0);
  if (end < 0) throw whole.bad("the JSON text has no end");
  if (area.subarray(end).some((byte) => byte !== 0))
    throw whole.bad("behind the JSON text there is something else");
  try {
    return new JsonField(JSON.parse(utf8.decode(area.subarray(0, end))) as unknown, "", place);
  } catch {
    // What the parser says may quote the text, which may hold anything.
    throw whole.bad("this is not JSON");
  }
}

function refuseRequirements(config: JsonField): void {
  const requirements = config.member("requirements");
  if (requirements.isMissing) return;
  for (const requirement of requirements.member("mandatory").items()) {
    const name = requirement.string();
    throw requirement.unknown(
      name.includes("reencrypt")
        ? `the device is in the middle of being reencrypted (${JSON.stringify(name)}): finish that with the tool that began it`
        : `the header asks for ${JSON.stringify(name)}, which is not known here`,
    );
  }
}

/** Returns the size of the area for keyslots. */
function checkConfig(config: JsonField, headerSize: number): number {
  const jsonSize = config.member("json_size");
  if (jsonSize.decimal() !== headerSize - BINARY_LENGTH)
    throw jsonSize.bad(`the JSON area has ${headerSize - BINARY_LENGTH} bytes`);
  const keyslotsSize = config.member("keyslots_size");
  const size = keyslotsSize.decimal();
  if (size % 4096 !== 0) throw keyslotsSize.bad("is not a multiple of 4096");
  return size;
}

/** Members named by numbers from 0 to 31, in that order. */
function numbered(field: JsonField): [id: number, field: JsonField][] {
  return field
    .members()
    .map(([name, member]): [number, JsonField] => {
      const id = Number(name);
      if (!/^(?:0|[1-9][0-9]?)$/.test(name) || id >= IDS_MAX)
        throw member.bad(`its name is not a number from 0 to ${IDS_MAX - 1}`);
      return [id, member];
    })
    .sort(([left], [right]) => left - right);
}

/** An array of names of others; each must exist. */
function references(field: JsonField, ids: readonly number[]): number[] {
  return field.items().map((item) => {
    const id = Number(item.string());
    if (!ids.includes(id)) throw item.bad("there is nothing of this number");
    return id;
  });
}

function checkArea(
  area: JsonField,
  others: readonly { readonly offset: number; readonly end: number }[],
  headerSize: number,
  keyslotsSize: number,
): { readonly offset: number; readonly end: number } {
  const offset = area.member("offset").decimal();
  const end = offset + area.member("size").decimal();
  if (offset % 4096 !== 0) throw area.member("offset").bad("is not a multiple of 4096");
  if (offset < 2 * headerSize || end > 2 * headerSize + keyslotsSize)
    throw area.bad("does not lie within the area for keyslots");
  for (const other of others)
    if (offset < other.end && other.offset < end) throw area.bad("overlaps the area of another keyslot");
  return { offset, end };
}

/** Null: a keyslot of a type that is not known here; it stays as it is, and opens nothing. */
function decodeKeyslot(id: number, field: JsonField): Keyslot | null {
  const type = field.member("type").string();
  const keySize = field.member("key_size").integer(1, KEY_SIZE_MAX);
  if (type === "reencrypt")
    throw field.unknown(
      "the device is in the middle of being reencrypted: finish that with the tool that began it",
    );
  if (type !== "luks2") return null;
  const priority = field.member("priority");
  const split = field.member("af");
  if (split.member("type").string() !== "luks1")
    throw split.unknown("the anti-forensic splitter is of a kind that is not known here");
  const stripes = split.member("stripes").integer(1, STRIPES_MAX);
  const area = field.member("area");
  if (area.member("type").string() !== "raw")
    throw area.unknown("the area is of a kind that is not known here");
  const size = area.member("size").decimal();
  if (size < Math.ceil((keySize * stripes) / 512) * 512)
    throw area.member("size").bad("is too small for the split key");
  return {
    id,
    keySize,
    priority: priority.isMissing ? "normal" : PRIORITIES[priority.integer(0, 2)]!,
    kdf: decodeDerivation(field.member("kdf")),
    stripes,
    splitHash: split.member("hash").string(),
    area: {
      offset: area.member("offset").decimal(),
      size,
      encryption: area.member("encryption").string(),
      keySize: area.member("key_size").integer(1, KEY_SIZE_MAX),
    },
  };
}

function decodeDerivation(field: JsonField): KeyDerivation {
  const type = field.member("type").string();
  switch (type) {
    case "pbkdf2":
      return decodePbkdf2(field);
    case "argon2i":
    case "argon2id":
      return {
        type,
        passes: field.member("time").integer(1, UINT32_MAX),
        memoryKibibytes: field.member("memory").integer(1, UINT32_MAX),
        lanes: field.member("cpus").integer(1, 255),
        salt: field.member("salt").base64(8, SALT_LENGTH_MAX),
      };
    default:
      throw field.unknown(`keys are derived by ${JSON.stringify(type)}, which is not known here`);
  }
}

function decodePbkdf2(field: JsonField): Pbkdf2 {
  return {
    type: "pbkdf2",
    hash: field.member("hash").string(),
    iterations: field.member("iterations").integer(1, UINT32_MAX),
    salt: field.member("salt").base64(1, SALT_LENGTH_MAX),
  };
}

function decodeDigest(id: number, field: JsonField, slotIds: readonly number[]): KeyDigest {
  const type = field.member("type").string();
  if (type !== "pbkdf2")
    throw field.unknown(`digests of the kind ${JSON.stringify(type)} are not known here`);
  return {
    id,
    keyslots: references(field.member("keyslots"), slotIds),
    segments: references(field.member("segments"), [0]),
    kdf: decodePbkdf2(field),
    digest: field.member("digest").base64(16, 64),
  };
}

/** The one segment of an ordinary device. Several there are only during reencryption. */
function decodeSegments(field: JsonField, offsetMin: number): CryptSegment {
  const segments = numbered(field);
  const only = segments[0];
  if (only === undefined) throw field.bad("there is no segment");
  if (segments.length > 1)
    throw field.unknown(`there are ${segments.length} segments, as in the middle of reencryption`);
  const [id, segment] = only;
  if (id !== 0) throw segment.bad("the only segment must be number 0");
  const type = segment.member("type").string();
  if (type !== "crypt")
    throw segment.unknown(`the segment is of the type ${JSON.stringify(type)}, not "crypt"`);
  if (!segment.member("integrity").isMissing)
    throw segment
      .member("integrity")
      .unknown("the device keeps integrity tags (dm-integrity), which is not known here");
  const flags = segment.member("flags");
  for (const flag of flags.isMissing ? [] : flags.items())
    throw flag.unknown(`the segment has the flag ${JSON.stringify(flag.string())}, which is not known here`);
  const sectorSize = segment.member("sector_size").integer(512, 4096);
  if (![512, 1024, 2048, 4096].includes(sectorSize))
    throw segment.member("sector_size").bad("is not 512, 1024, 2048 or 4096");
  const offset = segment.member("offset");
  if (offset.decimal() < offsetMin || offset.decimal() % sectorSize !== 0)
    throw offset.bad(`is not a multiple of ${sectorSize} behind the headers`);
  const size = segment.member("size");
  const isDynamic = size.string() === "dynamic";
  if (!isDynamic && (size.decimal() === 0 || size.decimal() % sectorSize !== 0))
    throw size.bad(`is neither "dynamic" nor a multiple of ${sectorSize}`);
  return {
    offset: offset.decimal(),
    size: isDynamic ? null : size.decimal(),
    // Sectors are counted on from here in plain numbers: half of what is safe leaves room for any device.
    ivTweak: segment.member("iv_tweak").decimal(0, 2 ** 52),
    encryption: segment.member("encryption").string(),
    sectorSize,
  };
}
