import { parseCipher } from "./cipher-spec.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { transformPlain } from "./plain-cipher.ts";

// Areas of keyslots are always encrypted in sectors of 512 bytes, counted from the area's beginning.
const AREA_UNITS = { sector: 0, sectorStep: 1, unitLength: 512 } as const;

/** Bytes of the sectors that `length` bytes of key material take in a keyslot's area. */
export function areaSectorsLength(length: number): number {
  return Math.ceil(length / AREA_UNITS.unitLength) * AREA_UNITS.unitLength;
}

/**
 * Encrypts or decrypts the area of a keyslot in place: whole sectors of 512 bytes, the first of which is number 0. Slow, and leaves no
 * copies behind. Throws `CEV_UNKNOWN_FEATURE` for a cipher that is not known here.
 */
export function transformKeyMaterial(
  direction: "encrypt" | "decrypt",
  encryption: string,
  key: Uint8Array,
  area: Uint8Array,
): void {
  // Key material is cryptsetup's own work, not the kernel's, and counts blocks of 16 bytes in every mode.
  const spec: CipherSpec = { ...parseCipher(encryption, key.length), narrowBlockLength: 16 };
  transformPlain(direction, spec, key, area, AREA_UNITS);
}
