import { TWOFISH_KEYS_LENGTH, TWOFISH_TABLES_LENGTH } from "../kernels/block-kernel.ts";
import { wipe } from "../key/secret.ts";

// The permutations q0 and q1 are made of four tables of 4 bits each.
const Q_TABLES: readonly (readonly [string, string, string, string])[] = [
  ["817d6f320b59eca4", "ecb81235f4a6709d", "ba5e6d90c8f32471", "d7f4126e9b3085ca"],
  ["28bdf76e31940ac5", "1e2b4c376da5f908", "4c75169a0ed82b3f", "b951c3de647f208a"],
];
// Which permutation stands before each byte of the key and at the end, for the four bytes of a word; from the last key word to the first.
const Q_ORDER: readonly (readonly number[])[] = [
  [1, 1, 0, 0, 1],
  [0, 1, 1, 0, 0],
  [0, 0, 0, 1, 1],
  [1, 0, 1, 1, 0],
];
const MDS: readonly (readonly number[])[] = [
  [0x01, 0xef, 0x5b, 0x5b],
  [0x5b, 0xef, 0xef, 0x01],
  [0xef, 0x5b, 0x01, 0xef],
  [0xef, 0x01, 0xef, 0x5b],
];
const MDS_POLYNOMIAL = 0x169;
const RS: readonly (readonly number[])[] = [
  [0x01, 0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e],
  [0xa4, 0x56, 0x82, 0xf3, 0x1e, 0xc6, 0x68, 0xe5],
  [0x02, 0xa1, 0xfc, 0xc1, 0x47, 0xae, 0x3d, 0x19],
  [0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e, 0x03],
];
const RS_POLYNOMIAL = 0x14d;

/** Twofish's tables and round keys as the kernel takes them, from a key of 16, 24 or 32 bytes. The caller wipes the result. */
export function expandTwofishKey(key: Uint8Array): Uint8Array {
  const permutations = [permutation(0), permutation(1)] as const;
  const even = everyOtherWord(key, 0);
  const odd = everyOtherWord(key, 4);
  const boxKeys = reedSolomon(key);
  const result = new Uint8Array(TWOFISH_KEYS_LENGTH);
  const view = new DataView(result.buffer);
  for (let column = 0; column < 4; column++) {
    for (let value = 0; value < 256; value++) {
      const word = mdsColumn(column, substitute(permutations, column, value, boxKeys));
      view.setUint32(1024 * column + 4 * value, word, true);
    }
  }
  for (let index = 0; index < 20; index++) {
    const a = mixWord(permutations, 2 * index, even);
    const b = rotateLeft(mixWord(permutations, 2 * index + 1, odd), 8);
    const at = TWOFISH_TABLES_LENGTH + 8 * index;
    view.setUint32(at, (a + b) >>> 0, true);
    view.setUint32(at + 4, rotateLeft((a + 2 * b) >>> 0, 9), true);
  }
  wipe(even, odd, boxKeys);
  return result;
}

function permutation(index: 0 | 1): Uint8Array {
  const [t0, t1, t2, t3] = Q_TABLES[index]!.map((table) =>
    Array.from(table, (digit) => Number.parseInt(digit, 16)),
  );
  return Uint8Array.from({ length: 256 }, (_, value) => {
    const [a, b] = halfRound(value >> 4, value & 15);
    const [c, d] = halfRound(t0![a]!, t1![b]!);
    return (t3![d]! << 4) | t2![c]!;
  });
}

function halfRound(a: number, b: number): [number, number] {
  return [a ^ b, a ^ ((b >> 1) | ((b & 1) << 3)) ^ ((8 * a) & 15)];
}

/** The key's words number 0, 2, 4… or 1, 3, 5…, as bytes. */
function everyOtherWord(key: Uint8Array, first: number): Uint8Array {
  const words = new Uint8Array(key.length / 2);
  for (let at = 0; at < words.length; at++) words[at] = key[first + 8 * (at >> 2) + (at & 3)]!;
  return words;
}

/** The words on which the S-boxes depend, as bytes, in the order in which the function h takes them. */
function reedSolomon(key: Uint8Array): Uint8Array {
  const words = new Uint8Array(key.length / 2);
  for (let at = 0; at < key.length; at += 8) {
    for (let row = 0; row < 4; row++) {
      let sum = 0;
      for (let column = 0; column < 8; column++)
        sum ^= multiply(RS[row]![column]!, key[at + column]!, RS_POLYNOMIAL);
      words[words.length - 4 - at / 2 + row] = sum;
    }
  }
  return words;
}

/** One of the four S-boxes of the function h, without its MDS matrix. `words`: two to four words as bytes. */
function substitute(
  permutations: readonly [Uint8Array, Uint8Array],
  column: number,
  value: number,
  words: Uint8Array,
): number {
  const order = Q_ORDER[column]!;
  const wordCount = words.length / 4;
  let result = value;
  for (let word = wordCount - 1; word >= 0; word--)
    result = permutations[order[3 - word]!]![result]! ^ words[4 * word + column]!;
  return permutations[order[4]!]![result]!;
}

/** The function h of a word whose four bytes are alike. */
function mixWord(permutations: readonly [Uint8Array, Uint8Array], value: number, words: Uint8Array): number {
  let result = 0;
  for (let column = 0; column < 4; column++)
    result ^= mdsColumn(column, substitute(permutations, column, value, words));
  return result >>> 0;
}

function mdsColumn(column: number, value: number): number {
  let word = 0;
  for (let row = 0; row < 4; row++) word |= multiply(MDS[row]![column]!, value, MDS_POLYNOMIAL) << (8 * row);
  return word >>> 0;
}

function multiply(left: number, right: number, polynomial: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product <<= 1;
    if (product > 255) product ^= polynomial;
    if (((right >> bit) & 1) === 1) product ^= left;
  }
  return product;
}

function rotateLeft(value: number, count: number): number {
  return ((value << count) | (value >>> (32 - count))) >>> 0;
}
