import * as zlib from "node:zlib";

/** CRC-32 as zlib computes it, going on from `seed`. Node has it from 22.2 on; before that it is computed here. */
export const crc32: (bytes: Uint8Array, seed?: number) => number =
  typeof (zlib as Partial<typeof zlib>).crc32 === "function" ? zlib.crc32 : plainCrc32;

/** The same, bit by bit. */
export function plainCrc32(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
  }
  return ~crc >>> 0;
}
