import { isCevError } from "@cev/core";
import type { CevError } from "@cev/core";
import type {
  CryptSegment,
  KeyDerivation,
  KeyDigest,
  Keyslot,
  LuksVolume,
  Pbkdf2,
} from "../header/luks-volume.ts";
import type { JsonField } from "./json-field.ts";
import { IDS_END } from "./layout.ts";
import { refuseRequirements } from "./requirements.ts";

const KEY_SIZE_MAX = 512;
const STRIPES_MAX = 4000;
const SALT_LENGTH_MAX = 1024;
const UINT32_MAX = 0xffff_ffff;
const PRIORITIES = ["ignore", "normal", "prefer"] as const;

/** What the JSON area says, without what the binary header knows. */
export type Luks2Metadata = Omit<LuksVolume, "version" | "uuid" | "label" | "subsystem"> & {
  /** Bytes of the area behind both header copies in which the keyslots' areas lie. */
  readonly keyslotsSize: number;
};

/**
 * Decodes a JSON area for whoever wants to open the device. Precondition: `validateMetadata(root)`. Throws `CEV_UNKNOWN_FEATURE` for
 * what is valid and not known here (requirements, reencryption under way, integrity, other types of segments), `CEV_BAD_METADATA`
 * for numbers that no device could have. A keyslot that cannot be used is left out; where none is left then it throws why, unless
 * `isKeyNeeded` is false: whoever changes something else needs none.
 */
export function decodeLuks2Metadata(root: JsonField, isKeyNeeded = true): Luks2Metadata {
  const config = root.member("config");
  // First of all: without knowing these, nothing else can be judged.
  refuseRequirements(config);
  const { keyslots, reason } = decodeKeyslots(root.member("keyslots"));
  const segment = decodeSegments(root.member("segments"));
  const digests = decodeDigests(root.member("digests"));
  const tokens = known(root.member("tokens")).map(([id, field]) => ({
    id,
    type: field.member("type").string(),
    keyslots: references(field.member("keyslots")),
  }));
  if (isKeyNeeded && keyslots.length === 0 && reason !== null) throw reason;
  const flags = config.member("flags");
  return {
    keyslotsSize: config.member("keyslots_size").decimal(),
    keyslots,
    segment,
    digests,
    tokens,
    flags: flags.isMissing ? [] : flags.items().map((flag) => flag.string()),
    leftOut: reason === null ? null : `${reason.place.field}: ${reason.message}`,
  };
}

/** Members named by numbers from 0 to 31, in that order. Others are not looked at by anybody. */
function known(field: JsonField): [id: number, field: JsonField][] {
  return field
    .members()
    .filter(([name]) => isKnownName(name))
    .map(([name, member]): [number, JsonField] => [Number(name), member])
    .sort(([left], [right]) => left - right);
}

function isKnownName(name: string): boolean {
  return /^(?:0|[1-9][0-9]?)$/.test(name) && Number(name) < IDS_END;
}

/** Numbers of what is looked at, of all that an array names. */
function references(field: JsonField): number[] {
  return field
    .items()
    .map((item) => item.string())
    .filter(isKnownName)
    .map(Number);
}

/** `reason`: why the first of those that cannot be used cannot. */
function decodeKeyslots(field: JsonField): {
  readonly keyslots: readonly Keyslot[];
  readonly reason: CevError | null;
} {
  const keyslots: Keyslot[] = [];
  let reason: CevError | null = null;
  for (const [id, keyslot] of known(field)) {
    const type = keyslot.member("type").string();
    if (type === "reencrypt")
      throw keyslot.unknown(
        "the device is in the middle of being reencrypted: finish that with the tool that began it",
      );
    if (type !== "luks2") continue;
    try {
      keyslots.push(decodeKeyslot(id, keyslot));
    } catch (error) {
      if (!isCevError(error)) throw error;
      reason ??= error;
    }
  }
  return { keyslots, reason };
}

function decodeKeyslot(id: number, field: JsonField): Keyslot {
  const keySize = field.member("key_size").integer(1, KEY_SIZE_MAX);
  const priority = field.member("priority");
  const split = field.member("af");
  const stripes = split.member("stripes").integer(1, STRIPES_MAX);
  const area = field.member("area");
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

/** The digest of the data must be understood; one of another key only opens nothing if it is not. */
function decodeDigests(field: JsonField): KeyDigest[] {
  const digests: KeyDigest[] = [];
  for (const [id, digest] of known(field)) {
    try {
      digests.push(decodeDigest(id, digest));
    } catch (error) {
      if (!isCevError(error) || references(digest.member("segments")).includes(0)) throw error;
    }
  }
  const count = digests.filter(({ segments }) => segments.includes(0)).length;
  // Of two keys one would make garbage of the data, and write it.
  if (count !== 1)
    throw field.bad(`${count === 0 ? "no digest belongs" : `${count} digests belong`} to segment 0`);
  return digests;
}

function decodeDigest(id: number, field: JsonField): KeyDigest {
  const type = field.member("type").string();
  if (type !== "pbkdf2")
    throw field.unknown(`digests of the kind ${JSON.stringify(type)} are not known here`);
  return {
    id,
    keyslots: references(field.member("keyslots")),
    segments: references(field.member("segments")),
    kdf: decodePbkdf2(field),
    digest: field.member("digest").base64(16, 64),
  };
}

/** The one segment of an ordinary device. Several there are only during reencryption. */
function decodeSegments(field: JsonField): CryptSegment {
  const segments = known(field);
  const segment = segments[0]![1];
  const type = segment.member("type").string();
  if (segments.length > 1)
    throw field.unknown(`there are ${segments.length} segments, as in the middle of reencryption`);
  if (type !== "crypt")
    throw segment.unknown(
      type === "linear"
        ? 'the segment is of the type "linear": the data is not encrypted, or not yet'
        : `the segment is of the type ${JSON.stringify(type)}, not "crypt"`,
    );
  if (!segment.member("integrity").isMissing)
    throw segment
      .member("integrity")
      .unknown("the device keeps integrity tags (dm-integrity), which is not known here");
  const flags = segment.member("flags");
  for (const flag of flags.isMissing ? [] : flags.items())
    throw flag.unknown(`the segment has the flag ${JSON.stringify(flag.string())}, which is not known here`);
  return decodeSegment(segment);
}

function decodeSegment(segment: JsonField): CryptSegment {
  const sectorSize = segment.member("sector_size").integer(512, 4096);
  if (![512, 1024, 2048, 4096].includes(sectorSize))
    throw segment.member("sector_size").bad("is not 512, 1024, 2048 or 4096");
  const offset = segment.member("offset");
  if (offset.decimal() % sectorSize !== 0) throw offset.bad(`is not a multiple of ${sectorSize}`);
  const size = segment.member("size");
  const ivTweak = segment.member("iv_tweak");
  // dm-crypt refuses it: the number of the first sector is one of 512 bytes.
  if (ivTweak.bigDecimal() % BigInt(sectorSize / 512) !== 0n)
    throw ivTweak.bad(
      `is not a multiple of ${sectorSize / 512}, the length of a sector in units of 512 bytes`,
    );
  return {
    offset: offset.decimal(),
    size: size.string() === "dynamic" ? null : size.decimal(),
    // Sectors are counted on from here in plain numbers: half of what is safe leaves room for any device.
    ivTweak: ivTweak.decimal(0, 2 ** 52),
    encryption: segment.member("encryption").string(),
    sectorSize,
  };
}
