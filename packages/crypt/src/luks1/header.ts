import { MetadataError, assert, isCevError } from "@cev/core";
import { hashLength } from "../key/hash.ts";
import { isUuid } from "../luks2/header.ts";

/** Bytes of the LUKS1 header. */
export const LUKS1_HEADER_LENGTH = 592;
/** LUKS1 has always this many keyslots, each in use or free. */
export const LUKS1_KEYSLOT_COUNT = 8;
/** The splitter's stripes: the format could say others, and nobody does. */
export const LUKS1_STRIPES = 4000;
/** Bytes of the digest of the volume key, whatever the hash. */
export const LUKS1_DIGEST_LENGTH = 20;
/** Bytes of every salt. */
export const LUKS1_SALT_LENGTH = 32;

const SECTOR = 512;
// The header is followed by zeroes up to here: no area begins before.
const PADDED_LENGTH = 1024;
const MAGIC = "4c554b53babe";
/** Where in the header its UUID begins. */
export const UUID_OFFSET = 168;
const KEYSLOTS_OFFSET = 208;
const KEYSLOT_LENGTH = 48;
const KEY_ENABLED = 0x00ac71f3;
const KEY_DISABLED = 0x0000dead;
const KEY_SIZE_MAX = 512;
const UINT32_MAX = 0xffff_ffff;

/** The LUKS1 header (LUKS1 On-Disk Format Specification, chapter 3). Offsets and sizes are bytes. */
export interface Luks1Header {
  readonly cipherName: string;
  /** With the initialisation vector: "xts-plain64". */
  readonly cipherMode: string;
  /** Of pbkdf2, of the splitter and of the digest alike. */
  readonly hash: string;
  /** Where the data begins. 0: this is a detached header, and the data begins with its device. */
  readonly payloadOffset: number;
  /** Of the volume key, and of the keys that encrypt the areas. */
  readonly keySize: number;
  readonly digest: Uint8Array;
  readonly digestSalt: Uint8Array;
  readonly digestIterations: number;
  /** Nothing depends on it but the device's name: where it is damaged, each character that cannot stand in one is "_" here. */
  readonly uuid: string;
  /** All eight, in their order. */
  readonly keyslots: readonly Luks1Keyslot[];
}

/** A keyslot of LUKS1. A free one has its place, too. */
export interface Luks1Keyslot {
  /** `damaged`: the header says neither that it is enabled nor that it is disabled. It opens nothing, and nothing is written. */
  readonly state: "enabled" | "disabled" | "damaged";
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** Of its area. */
  readonly offset: number;
}

/** Bytes of the area that a key of this size takes, in whole sectors. */
export function luks1AreaSize(keySize: number): number {
  return Math.ceil((keySize * LUKS1_STRIPES) / SECTOR) * SECTOR;
}

/** "aes-xts-plain64": name and mode in one, as dm-crypt writes it. */
export function luks1Encryption({
  cipherName,
  cipherMode,
}: Pick<Luks1Header, "cipherName" | "cipherMode">): string {
  return cipherMode === "" ? cipherName : `${cipherName}-${cipherMode}`;
}

/** Where in the header the keyslot of this number begins. */
export function luks1KeyslotAt(id: number): number {
  return KEYSLOTS_OFFSET + id * KEYSLOT_LENGTH;
}

/** Whether the bytes of a header say that this keyslot is in use. */
export function isEnabledAt(view: DataView, id: number): boolean {
  return view.getUint32(luks1KeyslotAt(id)) === KEY_ENABLED;
}

/** Makes this keyslot in the bytes of a header a free one, whose area begins at `offset` (bytes). */
export function markDisabled(view: DataView, id: number, offset: number): void {
  const at = luks1KeyslotAt(id);
  for (let byte = 0; byte < KEYSLOT_LENGTH; byte++) view.setUint8(at + byte, 0);
  view.setUint32(at, KEY_DISABLED);
  view.setUint32(at + 40, offset / SECTOR);
  view.setUint32(at + 44, LUKS1_STRIPES);
}

/**
 * Decodes the header at the start of a LUKS1 device. Nothing in it is trusted; it has no checksum. As strict as `cryptsetup`: the areas
 * of all keyslots, free ones too, must lie behind the header and before the data, and must not overlap. Throws `CEV_BAD_METADATA`
 * with field and byte offset. Precondition: magic and version were looked at.
 */
export function decodeLuks1Header(bytes: Uint8Array, source: string): Luks1Header {
  const reader = new Luks1Reader(bytes, source);
  const cipherName = reader.text("cipher-name", 8, 32);
  if (cipherName === "") throw reader.bad("cipher-name", 8, "is empty");
  const hash = reader.text("hash-spec", 72, 32);
  checkHash(hash, reader);
  const header: Luks1Header = {
    cipherName,
    cipherMode: reader.text("cipher-mode", 40, 32),
    hash,
    payloadOffset: reader.integer("payload-offset", 104, 0, UINT32_MAX) * SECTOR,
    keySize: reader.integer("key-bytes", 108, 1, KEY_SIZE_MAX),
    digest: reader.bytes(112, LUKS1_DIGEST_LENGTH),
    digestSalt: reader.bytes(132, LUKS1_SALT_LENGTH),
    digestIterations: reader.integer("mk-digest-iter", 164, 1, UINT32_MAX),
    uuid: reader.uuid(),
    keyslots: Array.from({ length: LUKS1_KEYSLOT_COUNT }, (_, id) => decodeKeyslot(reader, id)),
  };
  checkAreas(header, reader);
  return header;
}

/** The 592 bytes of a header. */
export function encodeLuks1Header(header: Luks1Header): Uint8Array {
  const bytes = Buffer.alloc(LUKS1_HEADER_LENGTH);
  assert(header.payloadOffset % SECTOR === 0, "the data begins with a sector");
  assert(header.keyslots.length === LUKS1_KEYSLOT_COUNT, "there are eight keyslots");
  bytes.write(MAGIC, 0, "hex");
  bytes.writeUInt16BE(1, 6);
  writeText(bytes, 8, 32, header.cipherName);
  writeText(bytes, 40, 32, header.cipherMode);
  writeText(bytes, 72, 32, header.hash);
  bytes.writeUInt32BE(header.payloadOffset / SECTOR, 104);
  bytes.writeUInt32BE(header.keySize, 108);
  writeBytesOf(bytes, 112, LUKS1_DIGEST_LENGTH, header.digest);
  writeBytesOf(bytes, 132, LUKS1_SALT_LENGTH, header.digestSalt);
  bytes.writeUInt32BE(header.digestIterations, 164);
  assert(isUuid(header.uuid), "what is damaged is not written again");
  writeText(bytes, UUID_OFFSET, 40, header.uuid);
  for (const [id, slot] of header.keyslots.entries()) {
    const at = luks1KeyslotAt(id);
    assert(slot.state !== "damaged", "what is damaged is not written again");
    assert(slot.offset % SECTOR === 0, "areas begin with a sector");
    bytes.writeUInt32BE(slot.state === "enabled" ? KEY_ENABLED : KEY_DISABLED, at);
    bytes.writeUInt32BE(slot.iterations, at + 4);
    writeBytesOf(bytes, at + 8, LUKS1_SALT_LENGTH, slot.salt);
    bytes.writeUInt32BE(slot.offset / SECTOR, at + 40);
    bytes.writeUInt32BE(LUKS1_STRIPES, at + 44);
  }
  return bytes;
}

function decodeKeyslot(reader: Luks1Reader, id: number): Luks1Keyslot {
  const at = luks1KeyslotAt(id);
  const name = (field: string): string => `keyslot ${id} ${field}`;
  const active = reader.integer(name("active"), at, 0, UINT32_MAX);
  const state = active === KEY_ENABLED ? "enabled" : active === KEY_DISABLED ? "disabled" : "damaged";
  reader.integer(name("stripes"), at + 44, LUKS1_STRIPES, LUKS1_STRIPES);
  return {
    state,
    iterations: reader.integer(name("iterations"), at + 4, state === "enabled" ? 1 : 0, UINT32_MAX),
    salt: reader.bytes(at + 8, LUKS1_SALT_LENGTH),
    offset: reader.integer(name("key-material-offset"), at + 40, PADDED_LENGTH / SECTOR, UINT32_MAX) * SECTOR,
  };
}

function checkAreas({ keyslots, keySize, payloadOffset }: Luks1Header, reader: Luks1Reader): void {
  const size = luks1AreaSize(keySize);
  for (const [id, { offset }] of keyslots.entries()) {
    const bad = (message: string): MetadataError =>
      reader.bad(`keyslot ${id} key-material-offset`, luks1KeyslotAt(id) + 40, message);
    if (payloadOffset !== 0 && offset + size > payloadOffset)
      throw bad("does not lie between the header and the data");
    const other = keyslots.findIndex((one, at) => at < id && Math.abs(one.offset - offset) < size);
    if (other >= 0) throw bad(`overlaps keyslot ${other}`);
  }
}

/** A hash whose name is not known is refused when it is needed; one that is known must make the digest's 20 bytes at least. */
function checkHash(hash: string, reader: Luks1Reader): void {
  let length: number;
  try {
    length = hashLength(hash.toLowerCase());
  } catch (error) {
    if (isCevError(error)) return;
    throw error;
  }
  if (length < LUKS1_DIGEST_LENGTH)
    throw reader.bad("hash-spec", 72, `makes only ${length} bytes, and LUKS1 asks for 20`);
}

function writeText(bytes: Buffer, at: number, length: number, text: string): void {
  assert(text.length < length && /^[\x20-\x7e]*$/.test(text), `plain text of at most ${length - 1} bytes`);
  bytes.write(text, at, "latin1");
}

function writeBytesOf(bytes: Buffer, at: number, length: number, value: Uint8Array): void {
  assert(value.length === length, `${length} bytes`);
  bytes.set(value, at);
}

/** Fields of a header, each with its name for errors. */
class Luks1Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: string;

  constructor(bytes: Uint8Array, source: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#source = source;
    if (bytes.length < LUKS1_HEADER_LENGTH) throw this.bad("magic", 0, "the device ends within the header");
  }

  bad(field: string, byteOffset: number, message: string): MetadataError {
    return new MetadataError(message, { source: this.#source, structure: "LUKS1 header", field, byteOffset });
  }

  integer(field: string, at: number, valueMin: number, valueMax: number): number {
    const value = this.#view.getUint32(at);
    if (value >= valueMin && value <= valueMax) return value;
    const bounds = valueMin === valueMax ? `${valueMin}` : `a number from ${valueMin} to ${valueMax}`;
    throw this.bad(field, at, `is ${value}, not ${bounds}`);
  }

  bytes(at: number, length: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(at, at + length));
  }

  uuid(): string {
    const all = this.#bytes.subarray(UUID_OFFSET, UUID_OFFSET + 39);
    const end = all.indexOf(0);
    const text = Buffer.from(end < 0 ? all : all.subarray(0, end)).toString("latin1");
    return text.replaceAll(/[^0-9A-Za-z-]/g, "_") || "_";
  }

  text(field: string, at: number, length: number): string {
    const all = this.#bytes.subarray(at, at + length);
    const end = all.indexOf(0);
    if (end < 0) throw this.bad(field, at, "the text has no end");
    const value = Buffer.from(all.subarray(0, end)).toString("latin1");
    // These texts are names, and are shown to people.
    if (!/^[\x20-\x7e]*$/.test(value)) throw this.bad(field, at, "holds what is no plain text");
    return value;
  }
}
