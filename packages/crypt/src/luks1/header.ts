import { MetadataError } from "@cev/core";
import { isUuid } from "../luks2/header.ts";
import type { Keyslot, LuksVolume, Pbkdf2 } from "../header/luks-volume.ts";

/** Bytes of the LUKS1 header. */
export const LUKS1_HEADER_LENGTH = 592;

const SECTOR = 512;
const KEYSLOT_COUNT = 8;
const KEYSLOTS_OFFSET = 208;
const KEYSLOT_LENGTH = 48;
const KEY_ENABLED = 0x00ac71f3;
const KEY_DISABLED = 0x0000dead;
const KEY_SIZE_MAX = 512;
const STRIPES_MAX = 4000;
const DIGEST_LENGTH = 20;

/**
 * Decodes the header at the start of a LUKS1 device (LUKS1 On-Disk Format Specification, chapter 3). Nothing in it is trusted; it
 * has no checksum. Throws `CEV_BAD_METADATA` with field and byte offset. Precondition: magic and version were looked at.
 */
export function decodeLuks1Header(bytes: Uint8Array, source: string): LuksVolume {
  const reader = new Reader(bytes, source);
  const cipher = reader.text("cipher-name", 8, 32);
  const mode = reader.text("cipher-mode", 40, 32);
  const hash = reader.text("hash-spec", 72, 32);
  const offset = reader.integer("payload-offset", 104, 1, 0xffff_ffff) * SECTOR;
  const keySize = reader.integer("key-bytes", 108, 1, KEY_SIZE_MAX);
  const encryption = `${cipher}-${mode}`;
  const slots: Keyslot[] = [];
  for (let id = 0; id < KEYSLOT_COUNT; id++) {
    const slot = decodeKeyslot(reader, id, { hash, keySize, encryption, payloadOffset: offset });
    if (slot === null) continue;
    const { area } = slot;
    const other = slots.find(
      (one) => area.offset < one.area.offset + one.area.size && one.area.offset < area.offset + area.size,
    );
    if (other !== undefined)
      throw reader.bad(`keyslot ${id} key-material-offset`, slotAt(id) + 40, `overlaps keyslot ${other.id}`);
    slots.push(slot);
  }
  const kdf: Pbkdf2 = {
    type: "pbkdf2",
    hash,
    iterations: reader.integer("mk-digest-iter", 164, 1, 0xffff_ffff),
    salt: reader.bytes(132, 32),
  };
  const uuid = reader.text("uuid", 168, 40);
  if (!isUuid(uuid)) throw reader.bad("uuid", 168, "is no UUID");
  return {
    version: 1,
    uuid,
    label: "",
    subsystem: "",
    keyslots: slots,
    digests: [
      {
        id: 0,
        keyslots: slots.map(({ id }) => id),
        segments: [0],
        kdf,
        digest: reader.bytes(112, DIGEST_LENGTH),
      },
    ],
    segment: { offset, size: null, ivTweak: 0, encryption, sectorSize: SECTOR },
    tokens: [],
    flags: [],
  };
}

interface Shared {
  readonly hash: string;
  readonly keySize: number;
  readonly encryption: string;
  readonly payloadOffset: number;
}

/** Null: the keyslot holds no key. */
function decodeKeyslot(reader: Reader, id: number, shared: Shared): Keyslot | null {
  const at = slotAt(id);
  const name = (field: string): string => `keyslot ${id} ${field}`;
  const active = reader.integer(name("active"), at, 0, 0xffff_ffff);
  if (active === KEY_DISABLED) return null;
  if (active !== KEY_ENABLED) throw reader.bad(name("active"), at, "is neither enabled nor disabled");
  const { hash, keySize, encryption, payloadOffset } = shared;
  const stripes = reader.integer(name("stripes"), at + 44, 1, STRIPES_MAX);
  const offset = reader.integer(name("key-material-offset"), at + 40, 1, 0xffff_ffff) * SECTOR;
  const size = Math.ceil((keySize * stripes) / SECTOR) * SECTOR;
  if (offset < LUKS1_HEADER_LENGTH || offset + size > payloadOffset)
    throw reader.bad(name("key-material-offset"), at + 40, "does not lie between the header and the data");
  return {
    id,
    keySize,
    priority: "normal",
    kdf: {
      type: "pbkdf2",
      hash,
      iterations: reader.integer(name("iterations"), at + 4, 1, 0xffff_ffff),
      salt: reader.bytes(at + 8, 32),
    },
    stripes,
    splitHash: hash,
    area: { offset, size, encryption, keySize },
  };
}

function slotAt(id: number): number {
  return KEYSLOTS_OFFSET + id * KEYSLOT_LENGTH;
}

class Reader {
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
    if (value < valueMin || value > valueMax)
      throw this.bad(field, at, `is ${value}, not a number from ${valueMin} to ${valueMax}`);
    return value;
  }

  bytes(at: number, length: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(at, at + length));
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
