/** What the JSON area of a LUKS2 header says, under names of its own. Byte strings are hexadecimal, sizes and offsets bytes. */
export interface Luks2Facts {
  readonly flags: readonly string[];
  readonly requirements: readonly string[];
  readonly segments: readonly DumpedSegment[];
  readonly keyslots: readonly DumpedKeyslot[];
  readonly tokens: readonly DumpedToken[];
  readonly digests: readonly DumpedDigest[];
}

export interface DumpedSegment {
  readonly id: number;
  readonly type: string;
  readonly offset: number;
  /** Null: to the end of the device. */
  readonly size: number | null;
  readonly encryption: string | null;
  readonly sectorSize: number | null;
  readonly ivTweak: number;
  /** Of the integrity tags; null without. */
  readonly integrity: string | null;
  readonly flags: readonly string[];
}

export interface DumpedKeyslot {
  readonly id: number;
  /** "luks2", or "reencrypt" and others, of which only what is general is known. */
  readonly type: string;
  readonly keySize: number;
  readonly priority: "ignore" | "normal" | "prefer";
  /** The digest of its key; null: it has none. */
  readonly digestId: number | null;
  /** Its key opens no data. */
  readonly isUnbound: boolean;
  readonly kdf: DumpedKdf | null;
  readonly split: { readonly stripes: number; readonly hash: string } | null;
  readonly area: {
    readonly type: string;
    readonly offset: number;
    readonly size: number;
    readonly encryption: string | null;
    readonly keySize: number | null;
  };
}

export type DumpedKdf =
  | { readonly type: "pbkdf2"; readonly hash: string; readonly iterations: number; readonly salt: string }
  | {
      readonly type: "argon2i" | "argon2id";
      readonly passes: number;
      readonly memoryKibibytes: number;
      readonly lanes: number;
      readonly salt: string;
    };

export interface DumpedToken {
  readonly id: number;
  readonly type: string;
  readonly keyslots: readonly number[];
}

export interface DumpedDigest {
  readonly id: number;
  readonly type: string;
  readonly hash: string;
  readonly iterations: number;
  readonly salt: string;
  readonly digest: string;
  readonly keyslots: readonly number[];
  readonly segments: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;

const PRIORITIES = ["ignore", "normal", "prefer"] as const;

/** Takes a valid JSON area apart. Members that are not known, or are not there, are left out or null. */
export function describeLuks2(jsonText: string): Luks2Facts {
  const json = JSON.parse(jsonText) as unknown;
  const config = objectOf(member(json, "config"));
  const digests = numbered(json, "digests").map(([id, digest]) => dumpDigest(id, digest));
  return {
    flags: texts(config["flags"]),
    requirements: texts(objectOf(config["requirements"])["mandatory"]),
    segments: numbered(json, "segments").map(([id, segment]) => dumpSegment(id, segment)),
    keyslots: numbered(json, "keyslots").map(([id, keyslot]) => dumpKeyslot(id, keyslot, digests)),
    tokens: numbered(json, "tokens").map(([id, token]) => ({
      id,
      type: text(token["type"]),
      keyslots: texts(token["keyslots"]).map(Number),
    })),
    digests,
  };
}

function dumpSegment(id: number, segment: Json): DumpedSegment {
  const integrity = objectOf(segment["integrity"]);
  return {
    id,
    type: text(segment["type"]),
    offset: Number(segment["offset"] ?? 0),
    size: segment["size"] === "dynamic" ? null : Number(segment["size"] ?? 0),
    encryption: textOrNull(segment["encryption"]),
    sectorSize: numberOrNull(segment["sector_size"]),
    ivTweak: Number(segment["iv_tweak"] ?? 0),
    integrity: textOrNull(integrity["type"]),
    flags: texts(segment["flags"]),
  };
}

function dumpKeyslot(id: number, keyslot: Json, digests: readonly DumpedDigest[]): DumpedKeyslot {
  const digest = digests.find(({ keyslots }) => keyslots.includes(id));
  const area = objectOf(keyslot["area"]);
  const split = objectOf(keyslot["af"]);
  return {
    id,
    type: text(keyslot["type"]),
    keySize: Number(keyslot["key_size"] ?? 0),
    priority: PRIORITIES[Number(keyslot["priority"] ?? 1)] ?? "normal",
    digestId: digest?.id ?? null,
    isUnbound: digest?.segments.length === 0,
    kdf: dumpKdf(objectOf(keyslot["kdf"])),
    split:
      typeof split["stripes"] === "number" ? { stripes: split["stripes"], hash: text(split["hash"]) } : null,
    area: {
      type: text(area["type"]),
      offset: Number(area["offset"] ?? 0),
      size: Number(area["size"] ?? 0),
      encryption: textOrNull(area["encryption"]),
      keySize: numberOrNull(area["key_size"]),
    },
  };
}

function dumpKdf(kdf: Json): DumpedKdf | null {
  const { type } = kdf;
  const salt = hexOf(kdf["salt"]);
  if (type === "pbkdf2")
    return { type, hash: text(kdf["hash"]), iterations: Number(kdf["iterations"]), salt };
  if (type !== "argon2i" && type !== "argon2id") return null;
  const [passes, memoryKibibytes, lanes] = [kdf["time"], kdf["memory"], kdf["cpus"]].map(Number);
  return { type, passes: passes!, memoryKibibytes: memoryKibibytes!, lanes: lanes!, salt };
}

function dumpDigest(id: number, digest: Json): DumpedDigest {
  return {
    id,
    type: text(digest["type"]),
    hash: text(digest["hash"]),
    iterations: Number(digest["iterations"] ?? 0),
    salt: hexOf(digest["salt"]),
    digest: hexOf(digest["digest"]),
    keyslots: texts(digest["keyslots"]).map(Number),
    segments: texts(digest["segments"]).map(Number),
  };
}

/** Members of a list whose names are numbers, in their order. */
function numbered(json: unknown, name: string): [id: number, value: Json][] {
  return Object.entries(objectOf(member(json, name)))
    .map(([id, value]): [number, Json] => [Number(id), objectOf(value)])
    .sort(([left], [right]) => left - right);
}

function member(json: unknown, name: string): unknown {
  return objectOf(json)[name];
}

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function hexOf(base64: unknown): string {
  return Buffer.from(text(base64), "base64").toString("hex");
}
