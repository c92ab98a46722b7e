// The block cipher Serpent (R. Anderson, E. Biham, L. Knudsen: "Serpent: A Proposal for the Advanced Encryption Standard"), bitsliced: four
// blocks at once, the same word of each in one vector, so that an S-box is a Boolean function and no table is read.
import { rotate, xor, xor3 } from "./logic";
import {
  restore0w,
  restore0x,
  restore0y,
  restore0z,
  restore1w,
  restore1x,
  restore1y,
  restore1z,
  restore2w,
  restore2x,
  restore2y,
  restore2z,
  restore3w,
  restore3x,
  restore3y,
  restore3z,
  restore4w,
  restore4x,
  restore4y,
  restore4z,
  restore5w,
  restore5x,
  restore5y,
  restore5z,
  restore6w,
  restore6x,
  restore6y,
  restore6z,
  restore7w,
  restore7x,
  restore7y,
  restore7z,
} from "./restore";

/** Decrypts blocks in place, four at a time: `count` is rounded up. `keys`: 33 round keys of four words. */
export function decryptBlocks(keys: usize, data: usize, count: i32): void {
  const lastKey = keys + 32 * 16;
  for (let done = 0; done < count; done += 4) {
    const p = v128.load(data);
    const q = v128.load(data, 16);
    const r = v128.load(data, 32);
    const s = v128.load(data, 48);
    let w = v128.shuffle<i32>(p, q, 0, 4, 1, 5);
    let y = v128.shuffle<i32>(p, q, 2, 6, 3, 7);
    let x = v128.shuffle<i32>(r, s, 0, 4, 1, 5);
    let z = v128.shuffle<i32>(r, s, 2, 6, 3, 7);
    let a = v128.shuffle<i64>(w, x, 0, 2);
    let b = v128.shuffle<i64>(w, x, 1, 3);
    let c = v128.shuffle<i64>(y, z, 0, 2);
    let d = v128.shuffle<i64>(y, z, 1, 3);
    keys = lastKey;
    a = xor(a, v128.load32_splat(keys, 0));
    b = xor(b, v128.load32_splat(keys, 4));
    c = xor(c, v128.load32_splat(keys, 8));
    d = xor(d, v128.load32_splat(keys, 12));
    for (let octet = 0; octet < 4; octet++) {
      keys -= 128;
      // S7
      if (octet > 0) {
        c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
        a = xor3(rotate(a, 27), b, d);
        d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
        b = xor3(rotate(b, 31), a, c);
        c = rotate(c, 29);
        a = rotate(a, 19);
      }
      w = restore7w(a, b, c, d);
      x = restore7x(a, b, c, d);
      y = restore7y(a, b, c, d);
      z = restore7z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 112));
      b = xor(x, v128.load32_splat(keys, 116));
      c = xor(y, v128.load32_splat(keys, 120));
      d = xor(z, v128.load32_splat(keys, 124));
      // S6
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore6w(a, b, c, d);
      x = restore6x(a, b, c, d);
      y = restore6y(a, b, c, d);
      z = restore6z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 96));
      b = xor(x, v128.load32_splat(keys, 100));
      c = xor(y, v128.load32_splat(keys, 104));
      d = xor(z, v128.load32_splat(keys, 108));
      // S5
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore5w(a, b, c, d);
      x = restore5x(a, b, c, d);
      y = restore5y(a, b, c, d);
      z = restore5z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 80));
      b = xor(x, v128.load32_splat(keys, 84));
      c = xor(y, v128.load32_splat(keys, 88));
      d = xor(z, v128.load32_splat(keys, 92));
      // S4
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore4w(a, b, c, d);
      x = restore4x(a, b, c, d);
      y = restore4y(a, b, c, d);
      z = restore4z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 64));
      b = xor(x, v128.load32_splat(keys, 68));
      c = xor(y, v128.load32_splat(keys, 72));
      d = xor(z, v128.load32_splat(keys, 76));
      // S3
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore3w(a, b, c, d);
      x = restore3x(a, b, c, d);
      y = restore3y(a, b, c, d);
      z = restore3z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 48));
      b = xor(x, v128.load32_splat(keys, 52));
      c = xor(y, v128.load32_splat(keys, 56));
      d = xor(z, v128.load32_splat(keys, 60));
      // S2
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore2w(a, b, c, d);
      x = restore2x(a, b, c, d);
      y = restore2y(a, b, c, d);
      z = restore2z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 32));
      b = xor(x, v128.load32_splat(keys, 36));
      c = xor(y, v128.load32_splat(keys, 40));
      d = xor(z, v128.load32_splat(keys, 44));
      // S1
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore1w(a, b, c, d);
      x = restore1x(a, b, c, d);
      y = restore1y(a, b, c, d);
      z = restore1z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 16));
      b = xor(x, v128.load32_splat(keys, 20));
      c = xor(y, v128.load32_splat(keys, 24));
      d = xor(z, v128.load32_splat(keys, 28));
      // S0
      c = xor3(rotate(c, 10), d, i32x4.shl(b, 7));
      a = xor3(rotate(a, 27), b, d);
      d = xor3(rotate(d, 25), c, i32x4.shl(a, 3));
      b = xor3(rotate(b, 31), a, c);
      c = rotate(c, 29);
      a = rotate(a, 19);
      w = restore0w(a, b, c, d);
      x = restore0x(a, b, c, d);
      y = restore0y(a, b, c, d);
      z = restore0z(a, b, c, d);
      a = xor(w, v128.load32_splat(keys, 0));
      b = xor(x, v128.load32_splat(keys, 4));
      c = xor(y, v128.load32_splat(keys, 8));
      d = xor(z, v128.load32_splat(keys, 12));
    }
    w = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    y = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    x = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
    z = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    v128.store(data, v128.shuffle<i64>(w, x, 0, 2));
    v128.store(data, v128.shuffle<i64>(w, x, 1, 3), 16);
    v128.store(data, v128.shuffle<i64>(y, z, 0, 2), 32);
    v128.store(data, v128.shuffle<i64>(y, z, 1, 3), 48);
    data += 64;
  }
}
