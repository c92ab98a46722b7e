import type { AbortSignalLike } from "@cev/core";
import { mergeKey } from "../key/af.ts";
import { areaSectorsLength, transformKeyMaterial } from "../cipher/key-material.ts";
import { isEqualSecret, wipe } from "../key/secret.ts";
import { deriveKey } from "../key/kdf.ts";
import type { KeyDigest, Keyslot } from "./luks-volume.ts";

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
