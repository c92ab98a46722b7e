import { SERPENT_KEYS_LENGTH } from "../kernels/block-kernel.ts";
import { wipe } from "../key/secret.ts";

/** Serpent's S-boxes, a hexadecimal digit for each of the 16 values. */
export const SERPENT_BOXES: readonly string[] = [
  "38f1a65bed42709c",
  "fc27905a1be86d34",
  "86793cafd1e40b52",
  "0fb8c963d124a75e",
  "1f83c0b6254a9e7d",
  "f52b4a9c03e8d671",
  "72c5846be91fd3a0",
  "1df0e82b74ca9356",
];

const GOLDEN_RATIO = 0x9e3779b9;

/** Serpent's 33 round keys as the kernel takes them, from a key of 16, 24 or 32 bytes. The caller wipes the result. */
export function expandSerpentKey(key: Uint8Array): Uint8Array {
  // A shorter key is filled up by a one and zeroes.
  const padded = new Uint8Array(32);
  padded.set(key);
  if (key.length < padded.length) padded[key.length] = 1;
  const view = new DataView(padded.buffer);
  const words = new Uint32Array(8 + 132);
  for (let index = 0; index < 8; index++) words[index] = view.getUint32(4 * index, true);
  for (let index = 8; index < words.length; index++) {
    const mixed = words[index - 8]! ^ words[index - 5]! ^ words[index - 3]! ^ words[index - 1]!;
    const turned = mixed ^ GOLDEN_RATIO ^ (index - 8);
    words[index] = (turned << 11) | (turned >>> 21);
  }
  const keys = new Uint8Array(SERPENT_KEYS_LENGTH);
  const target = new DataView(keys.buffer);
  for (let round = 0; round <= 32; round++) {
    // Backwards through the boxes, from the fourth on.
    const box = SERPENT_BOXES[(35 - round) % 8]!;
    for (let bit = 0; bit < 32; bit++)
      substituteColumn(box, words.subarray(8 + 4 * round, 12 + 4 * round), bit);
    for (let word = 0; word < 4; word++)
      target.setUint32(16 * round + 4 * word, words[8 + 4 * round + word]!, true);
  }
  wipe(padded);
  words.fill(0);
  return keys;
}

/** Puts four bits, one of each word, through an S-box. */
export function substituteColumn(box: string, words: Uint32Array, bit: number): void {
  let value = 0;
  for (let word = 0; word < 4; word++) value |= ((words[word]! >>> bit) & 1) << word;
  const result = Number.parseInt(box[value]!, 16);
  for (let word = 0; word < 4; word++)
    words[word] = (words[word]! & ~(1 << bit)) | (((result >> word) & 1) << bit);
}
