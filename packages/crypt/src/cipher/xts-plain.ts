import { createEcb } from "./ecb.ts";
import { wipe } from "../key/secret.ts";

/** Which run of units, and how long one is. */
export interface XtsUnits {
  /** Number of the first unit's tweak. */
  readonly sector: number;
  /** What the number grows by from unit to unit. */
  readonly sectorStep: number;
  /** Bytes, a multiple of 16. */
  readonly unitLength: number;
}

/**
 * AES-XTS with plain64 tweaks (IEEE 1619) in plain TypeScript, in place on any memory: what `XtsCipher` is held equal to,
 * and what handles key material, for it leaves no copies behind. `key`: both halves; `data`: whole units.
 */
export function xtsPlain(
  direction: "encrypt" | "decrypt",
  key: Uint8Array,
  data: Uint8Array,
  units: XtsUnits,
): void {
  const half = key.length / 2;
  const tweaks = tweaksOf(key.subarray(half), data.length, units);
  const transform = createEcb(key.subarray(0, half), direction);
  xorInto(data, tweaks);
  const result = transform.update(data);
  data.set(result);
  xorInto(data, tweaks);
  wipe(result, tweaks);
}

/** One tweak per block of 16 bytes: the encrypted unit number, then doubled in GF(2^128) from block to block. */
function tweaksOf(key: Uint8Array, length: number, units: XtsUnits): Uint8Array {
  const unitCount = length / units.unitLength;
  const numbers = new Uint8Array(unitCount * 16);
  const view = new DataView(numbers.buffer);
  for (let unit = 0; unit < unitCount; unit++)
    view.setBigUint64(unit * 16, BigInt(units.sector + unit * units.sectorStep), true);
  const firsts = createEcb(key, "encrypt").update(numbers);
  const tweaks = new Uint8Array(length);
  for (let unit = 0; unit < unitCount; unit++) {
    const start = unit * units.unitLength;
    tweaks.set(firsts.subarray(unit * 16, unit * 16 + 16), start);
    for (let at = start + 16; at < start + units.unitLength; at += 16) doubleBlock(tweaks, at - 16, at);
  }
  wipe(firsts);
  return tweaks;
}

/** Multiplies by x modulo x^128 + x^7 + x^2 + x + 1; the least significant byte comes first. */
function doubleBlock(bytes: Uint8Array, from: number, to: number): void {
  let carry = bytes[from + 15]! >> 7 === 1 ? 0x87 : 0;
  for (let at = 0; at < 16; at++) {
    const byte = bytes[from + at]!;
    bytes[to + at] = ((byte << 1) & 0xff) ^ carry;
    carry = byte >> 7;
  }
}

function xorInto(data: Uint8Array, mask: Uint8Array): void {
  for (let at = 0; at < data.length; at++) data[at] = data[at]! ^ mask[at]!;
}
