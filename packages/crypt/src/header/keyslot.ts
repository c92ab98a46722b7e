import type { AbortSignalLike } from "@cev/core";
import { mergeKey, splitKey } from "../key/af.ts";
import { areaSectorsLength, transformKeyMaterial } from "../cipher/key-material.ts";
import type { KeyCost } from "../key/cost.ts";
import { hashLength } from "../key/hash.ts";
import { isEqualSecret, wipe } from "../key/secret.ts";
import { deriveKey } from "../key/kdf.ts";
import type { KeyslotPlace } from "./editor.ts";
import type { KeyDerivation, KeyDigest, Keyslot, Pbkdf2 } from "./luks-volume.ts";

/** The splitter's stripes, as everywhere in LUKS. */
const STRIPES = 4000;
const SALT_LENGTH = 32;
/** Of a digest in LUKS1, whatever its hash. */
const LUKS1_DIGEST_LENGTH = 20;

/** What fills bytes with chance. */
export interface RandomSource {
  random(bytes: Uint8Array): void;
}

/** Bytes of the area that the split key takes, in whole sectors. */
export function splitLengthOf(slot: Keyslot): number {
  return areaSectorsLength(slot.keySize * slot.stripes);
}

/**
 * Unwraps the key in a keyslot with a passphrase; whether it is the right one only a digest tells. `area`: the first
 * `splitLengthOf(slot)` bytes of the keyslot's area; it is overwritten. The caller wipes the result.
 */
export async function unwrapKey(
  slot: Keyslot,
  passphrase: Uint8Array,
  area: Uint8Array,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  const key = await deriveKey(passphrase, slot.kdf, slot.area.keySize, signal);
  try {
    transformKeyMaterial("decrypt", slot.area.encryption, key, area);
    return mergeKey(area.subarray(0, slot.keySize * slot.stripes), {
      stripes: slot.stripes,
      hash: slot.splitHash,
    });
  } finally {
    wipe(key, area);
  }
}

/** A keyslot in the making. */
export interface KeyslotWish {
  readonly place: KeyslotPlace;
  /** Bytes of the key to be wrapped. */
  readonly keySize: number;
  readonly cost: KeyCost;
  readonly splitHash: string;
  /** Of the area. */
  readonly encryption: string;
  readonly encryptionKeySize: number;
}

/** A keyslot to be made, with a salt of its own. */
export function newKeyslot(wish: KeyslotWish, chance: RandomSource): Keyslot {
  const salt = new Uint8Array(SALT_LENGTH);
  chance.random(salt);
  const { place, keySize, cost, splitHash, encryption, encryptionKeySize } = wish;
  const kdf: KeyDerivation = { ...cost, salt };
  const area = { ...place.area, encryption, keySize: encryptionKeySize };
  return { id: place.id, keySize, priority: "normal", kdf, stripes: STRIPES, splitHash, area };
}

/** Wraps a key in a keyslot: the bytes of its area. The key cannot be had from them without the passphrase. */
export async function wrapKey(
  slot: Keyslot,
  passphrase: Uint8Array,
  wrapped: Uint8Array,
  chance: RandomSource,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  const key = await deriveKey(passphrase, slot.kdf, slot.area.keySize, signal);
  const area = new Uint8Array(slot.area.size);
  const random = (bytes: Uint8Array): void => chance.random(bytes);
  const split = splitKey(wrapped, { stripes: slot.stripes, hash: slot.splitHash }, random);
  try {
    area.set(split);
    transformKeyMaterial("encrypt", slot.area.encryption, key, area.subarray(0, splitLengthOf(slot)));
    return area;
  } catch (error) {
    wipe(area);
    throw error;
  } finally {
    wipe(split, key);
  }
}

/** The digest of a key, with a salt of its own. */
export async function digestOf(
  key: Uint8Array,
  {
    version,
    hash,
    iterations,
  }: { readonly version: 1 | 2; readonly hash: string; readonly iterations: number },
  chance: RandomSource,
  signal?: AbortSignalLike,
): Promise<{ readonly kdf: Pbkdf2; readonly digest: Uint8Array }> {
  const salt = new Uint8Array(SALT_LENGTH);
  chance.random(salt);
  const kdf = { type: "pbkdf2", hash, iterations, salt } as const;
  // In LUKS2 as long as the hash's own: cryptsetup does not compare one of another length.
  const length = version === 1 ? LUKS1_DIGEST_LENGTH : hashLength(hash);
  return { kdf, digest: await deriveKey(key, kdf, length, signal) };
}

/** True when this is the key that the digest was made of. */
export async function matchesDigest(
  key: Uint8Array,
  digest: KeyDigest,
  signal?: AbortSignalLike,
): Promise<boolean> {
  const derived = await deriveKey(key, digest.kdf, digest.digest.length, signal);
  const isEqual = isEqualSecret(derived, digest.digest);
  wipe(derived);
  return isEqual;
}
