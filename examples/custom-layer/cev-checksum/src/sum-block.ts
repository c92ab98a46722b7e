import { crc32 } from "node:zlib";
import { MetadataError } from "@cev/core";
import { pairsPerBlock } from "./header.ts";

/** The sum of what a block holds. */
export const sumOf = (block: Uint8Array): number => crc32(block);

/** Encodes one block of sums: those of `pairs` from `index * pairsPerBlock` on, as far as there are any. */
export function encodeSumBlock(target: Uint8Array, index: number, pairs: Uint32Array): void {
  const view = new DataView(target.buffer, target.byteOffset, target.length);
  const count = pairsPerBlock(target.length);
  view.setUint32(4, index >>> 0, true);
  for (let slot = 0; slot < 2 * count; slot++)
    view.setUint32(8 + 4 * slot, pairs[2 * index * count + slot] ?? 0, true);
  view.setUint32(0, crc32(target.subarray(4)), true);
}

/** The other way. `byteOffset`: where it lies, for the error. */
export function decodeSumBlock(
  bytes: Uint8Array,
  index: number,
  pairs: Uint32Array,
  byteOffset: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isRight =
    view.getUint32(0, true) === crc32(bytes.subarray(4)) && view.getUint32(4, true) === index >>> 0;
  if (!isRight)
    throw new MetadataError(`block ${index} of the sums is damaged`, {
      structure: "checksum sums",
      field: "crc",
      byteOffset,
    });
  const count = pairsPerBlock(bytes.length);
  const first = 2 * index * count;
  for (let slot = 0; slot < 2 * count && first + slot < pairs.length; slot++)
    pairs[first + slot] = view.getUint32(8 + 4 * slot, true);
}
