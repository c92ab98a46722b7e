import type { CryptSegment, KeyDigest, Keyslot } from "../header/luks-volume.ts";
import type { JsonObject } from "./json-value.ts";

/** A keyslot as it stands in the JSON area. */
export function keyslotJson(slot: Keyslot): JsonObject {
  const { kdf, area } = slot;
  const salt = base64(kdf.salt);
  return {
    type: "luks2",
    key_size: slot.keySize,
    af: { type: "luks1", stripes: slot.stripes, hash: slot.splitHash },
    area: {
      type: "raw",
      offset: String(area.offset),
      size: String(area.size),
      encryption: area.encryption,
      key_size: area.keySize,
    },
    kdf:
      kdf.type === "pbkdf2"
        ? { type: kdf.type, hash: kdf.hash, iterations: kdf.iterations, salt }
        : { type: kdf.type, time: kdf.passes, memory: kdf.memoryKibibytes, cpus: kdf.lanes, salt },
    ...(slot.priority === "normal" ? {} : { priority: slot.priority === "ignore" ? 0 : 2 }),
  };
}

/** A digest as it stands in the JSON area. */
export function digestJson({ keyslots, segments, kdf, digest }: Omit<KeyDigest, "id">): JsonObject {
  return {
    type: "pbkdf2",
    keyslots: keyslots.map(String),
    segments: segments.map(String),
    hash: kdf.hash,
    iterations: kdf.iterations,
    salt: base64(kdf.salt),
    digest: base64(digest),
  };
}

/** The encrypted part of the device as it stands in the JSON area. */
export function segmentJson(segment: CryptSegment): JsonObject {
  return {
    type: "crypt",
    offset: String(segment.offset),
    size: segment.size === null ? "dynamic" : String(segment.size),
    iv_tweak: String(segment.ivTweak),
    encryption: segment.encryption,
    sector_size: segment.sectorSize,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
