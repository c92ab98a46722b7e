import type { LuksDump } from "@cev/crypt";
import { hexLines, printable } from "./dump-words.ts";

const HEX_LINE = 16;
const NUMBERS_MAX = 32;
const PRIORITIES: readonly string[] = ["ignored", "normal", "preferred"];

type Luks2Dump = Extract<LuksDump, { readonly version: 2 }>;
type Json = Readonly<Record<string, unknown>>;

/** A LUKS2 header in the words of `cryptsetup luksDump`. The JSON is that of a header which was checked, or of one that could not be. */
export function luks2Text(facts: Luks2Dump): string[] {
  const json = objectOf(JSON.parse(facts.jsonText));
  const digests = digestsOf(json);
  return [
    "LUKS header information",
    "Version:       \t2",
    `Epoch:         \t${facts.sequenceId}`,
    `Metadata area: \t${facts.headerSize} [bytes]`,
    `Keyslots area: \t${facts.keyslotsSize} [bytes]`,
    `UUID:          \t${printable(facts.uuid) || "(no UUID)"}`,
    `Label:         \t${printable(facts.label) || "(no label)"}`,
    `Subsystem:     \t${printable(facts.subsystem) || "(no subsystem)"}`,
    ...configText(objectOf(json["config"])),
    "",
    "Data segments:",
    ...numbered(json["segments"]).flatMap(([id, segment]) => segmentText(id, segment)),
    "Keyslots:",
    ...numbered(json["keyslots"]).flatMap(([id, slot]) => keyslotText(id, slot, digests)),
    "Tokens:",
    ...numbered(json["tokens"]).flatMap(([id, token]) => tokenText(id, token)),
    "Digests:",
    ...numbered(json["digests"]).flatMap(([id, digest]) => digestText(id, digest)),
  ];
}

function configText(config: Json): string[] {
  const flags = listOf(config["flags"]);
  const requirements = listOf(objectOf(config["requirements"])["mandatory"]);
  return [
    `Flags:       \t${flags.length === 0 ? "(no flags)" : spaced(flags)}`,
    ...(requirements.length === 0 ? [] : [`Requirements:\t${spaced(requirements)}`]),
  ];
}

const spaced = (words: readonly string[]): string => words.map((word) => `${word} `).join("");

function segmentText(id: string, segment: Json): string[] {
  const size = textOf(segment["size"]);
  const integrity = objectOf(segment["integrity"]);
  const flags = listOf(segment["flags"]);
  return [
    `  ${id}: ${textOf(segment["type"])}`,
    `\toffset: ${textOf(segment["offset"])} [bytes]`,
    `\tlength: ${size === "dynamic" ? "(whole device)" : `${size} [bytes]`}`,
    ...optional(segment, "encryption", (value) => `\tcipher: ${value}`),
    ...(textOf(segment["type"]) === "hw-opal" ? ["\tcipher: (no SW encryption)"] : []),
    ...optional(segment, "sector_size", (value) => `\tsector: ${value} [bytes]`),
    ...optional(integrity, "type", (value) => `\tintegrity: ${value}`),
    ...(flags.length === 0 ? [] : [`\tflags : ${flags.join(", ")}`]),
    "",
  ];
}

interface Digest {
  readonly id: string;
  readonly keyslots: readonly string[];
  /** Its key opens some of the data. */
  readonly isBound: boolean;
}

/** In the middle of a reencryption the last segments are what others were, and shall be: their keys open nothing of the data as it is now. */
function digestsOf(json: Json): Digest[] {
  const current = numbered(json["segments"])
    .filter(([, segment]) => !listOf(segment["flags"]).some((flag) => flag.startsWith("backup-")))
    .map(([id]) => id);
  return numbered(json["digests"]).map(([id, digest]) => ({
    id,
    keyslots: listOf(digest["keyslots"]),
    isBound: listOf(digest["segments"]).some((segment) => current.includes(segment)),
  }));
}

function keyslotText(id: string, slot: Json, digests: readonly Digest[]): string[] {
  const own = digests.filter(({ keyslots }) => keyslots.includes(id));
  const isBound = own.some((digest) => digest.isBound);
  const priority = "priority" in slot ? Number(slot["priority"]) : 1;
  return [
    `  ${id}: ${textOf(slot["type"])}${isBound ? "" : " (unbound)"}`,
    ...optional(slot, "key_size", (value) => `\tKey:        ${Number(value) * 8} bits`),
    `\tPriority:   ${PRIORITIES[priority] ?? "invalid"}`,
    ...(slot["type"] === "reencrypt" ? reencryptionText(slot) : passphraseText(slot)),
    ...own.map((digest) => `\tDigest ID:  ${digest.id}`),
  ];
}

function passphraseText(slot: Json): string[] {
  const [kdf, af, area] = [objectOf(slot["kdf"]), objectOf(slot["af"]), objectOf(slot["area"])];
  return [
    ...optional(area, "encryption", (value) => `\tCipher:     ${value}`),
    ...optional(area, "key_size", (value) => `\tCipher key: ${Number(value) * 8} bits`),
    ...optional(kdf, "type", (value) => `\tPBKDF:      ${value}`),
    ...optional(kdf, "hash", (value) => `\tHash:       ${value}`),
    ...optional(kdf, "iterations", (value) => `\tIterations: ${value}`),
    ...optional(kdf, "time", (value) => `\tTime cost:  ${value}`),
    ...optional(kdf, "memory", (value) => `\tMemory:     ${value}`),
    ...optional(kdf, "cpus", (value) => `\tThreads:    ${value}`),
    ...bytesText("\tSalt:       ", kdf["salt"]),
    ...optional(af, "stripes", (value) => `\tAF stripes: ${value}`),
    ...optional(af, "hash", (value) => `\tAF hash:    ${value}`),
    ...areaText(area),
  ];
}

/** The keyslot that keeps track of a reencryption. */
function reencryptionText(slot: Json): string[] {
  const area = objectOf(slot["area"]);
  const own: Json = ["checksum", "datashift"].includes(textOf(area["type"])) ? area : {};
  return [
    ...optional(slot, "mode", (value) => `\tMode:       ${value}`),
    ...optional(slot, "direction", (value) => `\tDirection:  ${value}`),
    ...optional(area, "type", (value) => `\tResilience: ${value}`),
    ...optional(own, "hash", (value) => `\tHash:       ${value}`),
    ...optional(own, "sector_size", (value) => `\tHash data:  ${value} [bytes]`),
    ...optional(own, "shift_size", (value) => `\tShift size: ${value}[bytes]`),
    ...areaText(area),
  ];
}

const areaText = (area: Json): string[] => [
  ...optional(area, "offset", (value) => `\tArea offset:${value} [bytes]`),
  ...optional(area, "size", (value) => `\tArea length:${value} [bytes]`),
];

function tokenText(id: string, token: Json): string[] {
  const isKeyring = token["type"] === "luks2-keyring";
  return [
    `  ${id}: ${textOf(token["type"])}`,
    ...(isKeyring ? optional(token, "key_description", (value) => `\tKey description: ${value}`) : []),
    ...listOf(token["keyslots"]).map((slot) => `\tKeyslot:    ${slot}`),
  ];
}

function digestText(id: string, digest: Json): string[] {
  return [
    `  ${id}: ${textOf(digest["type"])}`,
    ...optional(digest, "hash", (value) => `\tHash:       ${value}`),
    ...optional(digest, "iterations", (value) => `\tIterations: ${value}`),
    ...bytesText("\tSalt:       ", digest["salt"]),
    ...bytesText("\tDigest:     ", digest["digest"]),
  ];
}

/** Bytes that stand in the JSON in base64. */
function bytesText(label: string, value: unknown): string[] {
  if (typeof value !== "string") return [];
  const lines = hexLines(Buffer.from(value, "base64").toString("hex"), HEX_LINE);
  return lines.map((line, at) => (at === 0 ? label : "\t            ") + line);
}

function optional(object: Json, name: string, text: (value: string) => string): string[] {
  return name in object ? [text(textOf(object[name]))] : [];
}

type Numbered = readonly [id: string, value: Json];

/** Members under numbers, in the order of these. */
function numbered(value: unknown): readonly Numbered[] {
  const object = objectOf(value);
  const found: Numbered[] = [];
  for (let id = 0; id < NUMBERS_MAX; id++)
    if (Object.hasOwn(object, id)) found.push([String(id), objectOf(object[String(id)])]);
  return found;
}

const objectOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(textOf) : []);

const textOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? printable(String(value)) : "";
