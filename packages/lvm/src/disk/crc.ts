import * as zlib from "node:zlib";

const SEED = 0xf597a6cf;
const TABLE: Uint32Array = makeTable();

/**
 * LVM2's checksum of labels, area headers and metadata text: CRC-32 (reflected, polynomial 0xEDB88320) begun with
 * 0xf597a6cf and not inverted at either end. Returns an unsigned number.
 */
export const lvmCrc: (bytes: Uint8Array) => number =
  typeof zlib.crc32 === "function" ? nativeLvmCrc : plainLvmCrc;

/** `lvmCrc` where zlib has no `crc32` (before Node 22.2). */
export function plainLvmCrc(bytes: Uint8Array): number {
  let crc = SEED;
  for (let index = 0; index < bytes.length; index++) crc = TABLE[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}

// zlib inverts the checksum before and after; LVM2 does neither.
function nativeLvmCrc(bytes: Uint8Array): number {
  return ~zlib.crc32(bytes, ~SEED >>> 0) >>> 0;
}

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
    return crc;
  });
}
