import { mergeKey } from "./af.ts";
import { parseCipher } from "./cipher-spec.ts";
import { isEqualSecret, wipe } from "./secret.ts";
import { deriveKey } from "./kdf.ts";
import type { KeyDigest, Keyslot } from "./luks-volume.ts";
import { xtsPlain } from "./xts-plain.ts";

/** Keyslots' areas are always encrypted in sectors of 512 bytes, counted from the area's beginning. */
export const AREA_UNITS = { sector: 0, sectorStep: 1, unitLength: 512 } as const;

/** Bytes of the area that the split key takes, in whole sectors. */
export function splitLengthOf(slot: Keyslot): number {
  return Math.ceil((slot.keySize * slot.stripes) / AREA_UNITS.unitLength) * AREA_UNITS.unitLength;
}

/**
 * Unwraps the key in a keyslot with a passphrase; whether it is the right one only a digest tells. `area`: the first
 * `splitLengthOf(slot)` bytes of the keyslot's area; it is overwritten. The caller wipes the result.
 */
export async function unwrapKey(
  slot: Keyslot,
  passphrase: Uint8Array,
  area: Uint8Array,
): Promise<Uint8Array> {
  parseCipher(slot.area.encryption, slot.area.keySize);
  const key = await deriveKey(passphrase, slot.kdf, slot.area.keySize);
  try {
    xtsPlain("decrypt", key, area, AREA_UNITS);
    return mergeKey(area.subarray(0, slot.keySize * slot.stripes), {
      stripes: slot.stripes,
      hash: slot.splitHash,
    });
  } finally {
    wipe(key, area);
  }
}

/** True when this is the key that the digest was made of. */
export async function matchesDigest(key: Uint8Array, digest: KeyDigest): Promise<boolean> {
  const derived = await deriveKey(key, digest.kdf, digest.digest.length);
  const isEqual = isEqualSecret(derived, digest.digest);
  wipe(derived);
  return isEqual;
}
