import { MetadataError } from "@cev/core";
import type { Keyslot, LuksVolume } from "../header/luks-volume.ts";
import type { HeaderSource } from "../luks2/copies.ts";
import { isUuid } from "../luks2/header.ts";
import {
  LUKS1_HEADER_LENGTH,
  LUKS1_STRIPES,
  UUID_OFFSET,
  decodeLuks1Header,
  luks1AreaSize,
  luks1Encryption,
  luks1KeyslotAt,
} from "./header.ts";
import type { Luks1Header } from "./header.ts";

/**
 * Reads the LUKS1 header of a device that carries one. Throws `CEV_BAD_METADATA` for one that cannot be used, also when the device ends
 * before the areas of all keyslots do.
 */
export async function readLuks1Header(source: HeaderSource): Promise<Luks1Header> {
  const header = decodeLuks1Header(await source.read(0, LUKS1_HEADER_LENGTH), source.name);
  const size = luks1AreaSize(header.keySize);
  for (const [id, { offset }] of header.keyslots.entries()) {
    if (offset + size <= source.size) continue;
    throw new MetadataError(`the area ends at byte ${offset + size}, the device at byte ${source.size}`, {
      source: source.name,
      structure: "LUKS1 header",
      field: `keyslot ${id} key-material-offset`,
      byteOffset: luks1KeyslotAt(id) + 40,
      hint: "is the image complete?",
    });
  }
  return header;
}

/** What a LUKS1 header says, in the words that both versions share. */
export function luks1VolumeOf(header: Luks1Header): LuksVolume {
  const keyslots = header.keyslots.flatMap((slot, id) =>
    slot.state === "enabled" ? [luks1KeyslotOf(header, id)] : [],
  );
  const encryption = luks1Encryption(header);
  return {
    version: 1,
    uuid: header.uuid,
    label: "",
    subsystem: "",
    keyslots,
    digests: [
      {
        id: 0,
        keyslots: keyslots.map(({ id }) => id),
        segments: [0],
        kdf: {
          type: "pbkdf2",
          hash: hashOf(header),
          iterations: header.digestIterations,
          salt: header.digestSalt,
        },
        digest: header.digest,
      },
    ],
    segment: { offset: header.payloadOffset, size: null, ivTweak: 0, encryption, sectorSize: 512 },
    tokens: [],
    flags: [],
    leftOut: keyslotProblemOf(header),
  };
}

/** What is not as it should be in a header that can be used, in words for people; or null. */
export function luks1ProblemOf(header: Luks1Header): string | null {
  return keyslotProblemOf(header) ?? uuidProblemOf(header);
}

/** In words, that the device's name is damaged; or null. */
function uuidProblemOf({ uuid }: Luks1Header): string | null {
  if (isUuid(uuid)) return null;
  return `the UUID of the LUKS1 header (byte ${UUID_OFFSET}) is damaged; set another with \`cev crypt luksUUID --uuid\``;
}

function keyslotProblemOf({ keyslots }: Luks1Header): string | null {
  const damaged = keyslots.findIndex(({ state }) => state === "damaged");
  if (damaged < 0) return null;
  const at = luks1KeyslotAt(damaged);
  return `keyslot ${damaged} of the LUKS1 header (byte ${at}) is neither enabled nor disabled; it is left out`;
}

/** Why a header with such a keyslot is not changed. */
export function damagedKeyslot(source: string, id: number): MetadataError {
  return new MetadataError("is neither enabled nor disabled", {
    source,
    structure: "LUKS1 header",
    field: `keyslot ${id} active`,
    byteOffset: luks1KeyslotAt(id),
    hint: "restore the header from a backup",
  });
}

/** Throws `CEV_BAD_METADATA` where the UUID is damaged: another one is to be set before anything else is changed. */
export function refuseDamagedUuid(source: string, { uuid }: Luks1Header): void {
  if (isUuid(uuid)) return;
  throw new MetadataError("is no UUID", {
    source,
    structure: "LUKS1 header",
    field: "uuid",
    byteOffset: UUID_OFFSET,
    hint: "set another one with `cev crypt luksUUID --uuid`",
  });
}

function luks1KeyslotOf(header: Luks1Header, id: number): Keyslot {
  const { iterations, salt, offset } = header.keyslots[id]!;
  const { keySize } = header;
  const hash = hashOf(header);
  return {
    id,
    keySize,
    priority: "normal",
    kdf: { type: "pbkdf2", hash, iterations, salt },
    stripes: LUKS1_STRIPES,
    splitHash: hash,
    area: { offset, size: luks1AreaSize(keySize), encryption: luks1Encryption(header), keySize },
  };
}

/** Early versions of other tools wrote the name in capitals, which means the same. */
function hashOf({ hash }: Luks1Header): string {
  return hash.toLowerCase();
}
