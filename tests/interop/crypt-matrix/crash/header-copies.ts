import { createHash } from "node:crypto";

const MAGICS = [Buffer.from("LUKS\xba\xbe\0\x02", "latin1"), Buffer.from("SKUL\xba\xbe\0\x02", "latin1")];
/** Where a second copy may begin: each size that metadata may have. */
const SECOND_OFFSETS = Array.from({ length: 9 }, (_, power) => 16_384 * 2 ** power);
const HEADER_SIZE_AT = 8;
const CHECKSUM_AT = 448;
const CHECKSUM_LENGTH = 64;

/** How many of the two copies of a LUKS2 header are whole, by magic and checksum alone. */
export function wholeCopies(device: Uint8Array): number {
  const first = isWhole(device, 0, MAGICS[0]!) ? 1 : 0;
  const second = SECOND_OFFSETS.some((offset) => isWhole(device, offset, MAGICS[1]!)) ? 1 : 0;
  return first + second;
}

function isWhole(device: Uint8Array, offset: number, magic: Buffer): boolean {
  if (offset + CHECKSUM_AT + CHECKSUM_LENGTH > device.length) return false;
  const all = Buffer.from(device.buffer, device.byteOffset + offset, device.length - offset);
  if (!all.subarray(0, magic.length).equals(magic)) return false;
  const size = Number(all.readBigUInt64BE(HEADER_SIZE_AT));
  if (!SECOND_OFFSETS.includes(size) || size > all.length) return false;
  const stored = all.subarray(CHECKSUM_AT, CHECKSUM_AT + 32);
  const header = Buffer.from(all.subarray(0, size)).fill(0, CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_LENGTH);
  return createHash("sha256").update(header).digest().equals(stored);
}
