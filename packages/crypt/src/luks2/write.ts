import { Op, request, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { splitKey } from "../key/af.ts";
import { transformKeyMaterial } from "../cipher/key-material.ts";
import { deriveKey } from "../key/kdf.ts";
import { encodeLuks2Header } from "./header.ts";
import type { Luks2Header } from "./header.ts";
import type { KeyDerivation, Keyslot } from "../header/luks-volume.ts";
import { wipe } from "../key/secret.ts";

/** The splitter's stripes, as everywhere in LUKS. */
export const STRIPES = 4000;
/** Areas of keyslots lie at multiples of it. */
export const AREA_ALIGNMENT = 4096;
/** The cipher of what is made here: of the data, and of the keyslots' areas. */
export const ENCRYPTION = "aes-xts-plain64";

/** How a passphrase is to become a key; the salt is made along. */
export type KeyCost =
  | { readonly type: "pbkdf2"; readonly hash: string; readonly iterations: number }
  | {
      readonly type: "argon2i" | "argon2id";
      readonly passes: number;
      readonly memoryKibibytes: number;
      readonly lanes: number;
    };

/** A few seconds on a small machine, and no more memory than one has. */
export const COST_DEFAULT: KeyCost = { type: "argon2id", passes: 4, memoryKibibytes: 262_144, lanes: 4 };

/** Bytes of the area that a key of this size needs. */
export function areaSizeOf(keySize: number): number {
  return Math.ceil((keySize * STRIPES) / AREA_ALIGNMENT) * AREA_ALIGNMENT;
}

/** A keyslot to be made, with a salt of its own. */
export function newKeyslot(
  id: number,
  areaOffset: number,
  keySize: number,
  hash: string,
  cost: KeyCost,
  environment: Environment,
): Keyslot {
  const salt = new Uint8Array(32);
  environment.random(salt);
  const kdf: KeyDerivation = { ...cost, salt };
  const area = { offset: areaOffset, size: areaSizeOf(keySize), encryption: ENCRYPTION, keySize };
  return { id, keySize, priority: "normal", kdf, stripes: STRIPES, splitHash: hash, area };
}

/** Wraps the volume key in a keyslot: the bytes of its area. The key itself cannot be had from them without the passphrase. */
export async function wrapKey(
  slot: Keyslot,
  passphrase: Uint8Array,
  volumeKey: Uint8Array,
  environment: Environment,
): Promise<Uint8Array> {
  const area = new Uint8Array(slot.area.size);
  const split = splitKey(volumeKey, { stripes: slot.stripes, hash: slot.splitHash }, environment.random);
  const key = await deriveKey(passphrase, slot.kdf, slot.area.keySize);
  area.set(split);
  transformKeyMaterial("encrypt", slot.area.encryption, key, area);
  wipe(split, key);
  return area;
}

/** A keyslot as it stands in the JSON area. */
export function keyslotJson(slot: Keyslot): object {
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
  };
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** Writes bytes and makes sure that they are on the disk before anything that follows. */
export async function writeDurably(
  lower: Layer,
  environment: Environment,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  await writeBytes(lower, environment, offset, bytes);
  await request(lower, environment, Op.flush, 0, 0);
}

/**
 * Writes both header copies, each with a salt of its own, one after the other: at every moment one of them is whole. The
 * second copy goes first, so that a device in the making is found by its first copy only when all is there.
 */
export async function writeHeaderCopies(
  lower: Layer,
  environment: Environment,
  header: Omit<Luks2Header, "isPrimary" | "headerOffset" | "salt" | "checksum">,
  json: string,
): Promise<void> {
  for (const isPrimary of [false, true]) {
    const salt = new Uint8Array(64);
    environment.random(salt);
    const headerOffset = isPrimary ? 0 : header.headerSize;
    const copy = { ...header, isPrimary, headerOffset, salt, checksum: new Uint8Array(0) };
    await writeDurably(lower, environment, headerOffset, encodeLuks2Header(copy, json));
  }
}
