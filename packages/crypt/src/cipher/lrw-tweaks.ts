import { wipe } from "../key/secret.ts";

const BITS = 128;
const BLOCK_LENGTH = 16;

/**
 * The tweaks of LRW: the number of a block times the second part of the key, in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, both read as
 * big-endian (M. Liskov, R. Rivest, D. Wagner: "Tweakable Block Ciphers"; the kernel's crypto/lrw.c). A unit's first block has the number
 * that is its IV, and each further one the next.
 */
export class LrwTweaks {
  /** The key times each power of x, in four words of 32 bits, the highest first. */
  readonly #products: Int32Array = new Int32Array(4 * BITS);
  /** What is added from a number that ends in so many ones to the next: the sum of so many products and one. */
  readonly #steps: Int32Array = new Int32Array(4 * BITS);

  /** `key`: 16 bytes; the caller wipes it. */
  constructor(key: Uint8Array) {
    const products = this.#products;
    const steps = this.#steps;
    const view = new DataView(key.buffer, key.byteOffset, key.length);
    for (let word = 0; word < 4; word++) products[word] = view.getInt32(4 * word);
    for (let at = 4; at < products.length; at += 4) {
      const carry = products[at - 4]! < 0 ? 0x87 : 0;
      for (let word = 0; word < 4; word++) {
        const below = word === 3 ? carry : products[at - 3 + word]! >>> 31;
        products[at + word] = (products[at - 4 + word]! << 1) ^ below;
      }
    }
    for (let at = 0; at < steps.length; at++) steps[at] = products[at]! ^ (at < 4 ? 0 : steps[at - 4]!);
  }

  /** Writes the tweaks of a unit's blocks one behind the other, from `target` on. `iv`: where its 16 bytes lie; both within the view. */
  write(view: DataView, iv: number, target: number, blockCount: number): void {
    const products = this.#products;
    const steps = this.#steps;
    const number = [view.getInt32(iv), view.getInt32(iv + 4), view.getInt32(iv + 8), view.getInt32(iv + 12)];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let bit = 0; bit < BITS; bit++) {
      if (((number[3 - (bit >> 5)]! >>> (bit & 31)) & 1) === 0) continue;
      a ^= products[4 * bit]!;
      b ^= products[4 * bit + 1]!;
      c ^= products[4 * bit + 2]!;
      d ^= products[4 * bit + 3]!;
    }
    for (let at = target; at < target + blockCount * BLOCK_LENGTH; at += BLOCK_LENGTH) {
      view.setInt32(at, a);
      view.setInt32(at + 4, b);
      view.setInt32(at + 8, c);
      view.setInt32(at + 12, d);
      const step = 4 * countUp(number);
      a ^= steps[step]!;
      b ^= steps[step + 1]!;
      c ^= steps[step + 2]!;
      d ^= steps[step + 3]!;
    }
  }

  /** Forgets the key. */
  clear(): void {
    wipe(new Uint8Array(this.#products.buffer), new Uint8Array(this.#steps.buffer));
  }
}

/** Adds one to a number of four words, the highest first, which wraps; gives how many ones it ended in, at most 127. */
function countUp(number: number[]): number {
  let ones = 0;
  for (let word = 3; word >= 0; word--) {
    const value = number[word]!;
    number[word] = (value + 1) | 0;
    if (value !== -1) return ones + 31 - Math.clz32(~value & (value + 1));
    ones += 32;
  }
  return BITS - 1;
}
