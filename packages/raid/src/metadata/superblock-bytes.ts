import { assert } from "@cev/core";
import { encodeName, parseUuid } from "./identity.ts";
import type { Remnant, Remnants, Timestamp } from "./superblock-model.ts";

/** What `DataView` needs of some bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The checksum of both families: the sum of all 32-bit words of the first `length` bytes, the checksum's own (at
 * `checksumAt`) taken as zero, and of the 16-bit word that may be left over; what passes 32 bits is added once more.
 */
export function checksumOf(bytes: Uint8Array, length: number, checksumAt: number): number {
  const view = viewOf(bytes);
  let sum = 0;
  for (let at = 0; at + 4 <= length; at += 4) if (at !== checksumAt) sum += view.getUint32(at, true);
  if (length % 4 === 2) sum += view.getUint16(length - 2, true);
  return ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) >>> 0;
}

/** The words in which `bytes` differs from what its own meaning would be encoded as; null where there is none. */
export function findRemnants(
  bytes: Uint8Array,
  encoded: Uint8Array,
  eventCount: bigint,
  checksumAt: number,
): Remnants | null {
  const found = viewOf(bytes);
  const expected = viewOf(encoded);
  const words: Remnant[] = [];
  for (let at = 0; at + 4 <= encoded.length; at += 4) {
    const value = found.getUint32(at, true);
    const insteadOf = expected.getUint32(at, true);
    if (at !== checksumAt && value !== insteadOf) words.push({ at, value, insteadOf });
  }
  return words.length === 0 ? null : { eventCount, words };
}

/** Puts back what a superblock had besides its meaning, unless it has been updated since. */
export function putRemnants(view: DataView, remnants: Remnants | null, eventCount: bigint): void {
  if (remnants?.eventCount !== eventCount) return;
  for (const { at, value, insteadOf } of remnants.words)
    if (at + 4 <= view.byteLength && view.getUint32(at, true) === insteadOf) view.setUint32(at, value, true);
}

export function putSectors(view: DataView, at: number, sectors: number): void {
  assert(Number.isSafeInteger(sectors) && sectors >= 0, "sectors are whole and not negative");
  view.setBigUint64(at, BigInt(sectors), true);
}

export function putTimestamp(view: DataView, at: number, { seconds, microseconds }: Timestamp): void {
  view.setBigUint64(at, BigInt(seconds) | (BigInt(microseconds) << 40n), true);
}

export function putUuid(bytes: Uint8Array, at: number, uuid: string): void {
  const parsed = parseUuid(uuid);
  assert(parsed !== null, "a UUID has 32 hexadecimal digits");
  bytes.set(parsed, at);
}

export function putName(bytes: Uint8Array, at: number, lengthMax: number, name: string): void {
  const encoded = encodeName(name);
  assert(encoded.length <= lengthMax, `a name takes at most ${lengthMax} bytes`);
  bytes.set(encoded, at);
}
