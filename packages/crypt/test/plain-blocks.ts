import { SERPENT_BOXES, expandSerpentKey, substituteColumn } from "../src/cipher/serpent-keys.ts";
import { expandTwofishKey } from "../src/cipher/twofish-keys.ts";

/** One block through Serpent as its specification has it, in plain TypeScript: what the kernel is held equal to. */
export function encryptSerpentBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const keys = wordsOf(expandSerpentKey(key));
  const state = wordsOf(block);
  for (let round = 0; round < 32; round++) {
    for (let word = 0; word < 4; word++) state[word]! ^= keys[4 * round + word]!;
    for (let bit = 0; bit < 32; bit++) substituteColumn(SERPENT_BOXES[round % 8]!, state, bit);
    if (round < 31) mixSerpent(state);
  }
  for (let word = 0; word < 4; word++) state[word]! ^= keys[128 + word]!;
  return bytesOf(state);
}

/** One block through Twofish, in plain TypeScript: what the kernel is held equal to. */
export function encryptTwofishBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const words = wordsOf(expandTwofishKey(key));
  const keys = words.subarray(1024);
  const g = (value: number): number =>
    words[value & 255]! ^
    words[256 + ((value >>> 8) & 255)]! ^
    words[512 + ((value >>> 16) & 255)]! ^
    words[768 + (value >>> 24)]!;
  let [a = 0, b = 0, c = 0, d = 0] = wordsOf(block).map((word, index) => word ^ keys[index]!);
  for (let round = 0; round < 16; round++) {
    const left = g(a);
    const right = g(turn(b, 8));
    const nextA = turn(c ^ (left + right + keys[2 * round + 8]!), 31);
    const nextB = turn(d, 1) ^ (left + 2 * right + keys[2 * round + 9]!);
    [a, b, c, d] = [nextA, nextB, a, b];
  }
  return bytesOf(Uint32Array.of(c, d, a, b).map((word, index) => word ^ keys[4 + index]!));
}

function mixSerpent(state: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  a = turn(a, 13);
  c = turn(c, 3);
  b = turn(b ^ a ^ c, 1);
  d = turn(d ^ c ^ (a << 3), 7);
  a = turn(a ^ b ^ d, 5);
  c = turn(c ^ d ^ (b << 7), 22);
  state.set([a, b, c, d]);
}

function turn(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index, true));
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  return bytes;
}
