// The block cipher Serpent (R. Anderson, E. Biham, L. Knudsen: "Serpent: A Proposal for the Advanced Encryption Standard"), bitsliced: four
// blocks at once, the same word of each in one vector, so that an S-box is a Boolean function and no table is read.
import { rotate, xor, xor3 } from "./logic";
import {
  substitute0w,
  substitute0x,
  substitute0y,
  substitute0z,
  substitute1w,
  substitute1x,
  substitute1y,
  substitute1z,
  substitute2w,
  substitute2x,
  substitute2y,
  substitute2z,
  substitute3w,
  substitute3x,
  substitute3y,
  substitute3z,
  substitute4w,
  substitute4x,
  substitute4y,
  substitute4z,
  substitute5w,
  substitute5x,
  substitute5y,
  substitute5z,
  substitute6w,
  substitute6x,
  substitute6y,
  substitute6z,
  substitute7w,
  substitute7x,
  substitute7y,
  substitute7z,
} from "./substitute";

/** Encrypts blocks in place, four at a time: `count` is rounded up. `keys`: 33 round keys of four words. */
export function encryptBlocks(keys: usize, data: usize, count: i32): void {
  const firstKey = keys;
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
    keys = firstKey;
    for (let octet = 0; octet < 4; octet++) {
      // S0
      a = xor(a, v128.load32_splat(keys, 0));
      b = xor(b, v128.load32_splat(keys, 4));
      c = xor(c, v128.load32_splat(keys, 8));
      d = xor(d, v128.load32_splat(keys, 12));
      w = substitute0w(a, b, c, d);
      x = substitute0x(a, b, c, d);
      y = substitute0y(a, b, c, d);
      z = substitute0z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S1
      a = xor(a, v128.load32_splat(keys, 16));
      b = xor(b, v128.load32_splat(keys, 20));
      c = xor(c, v128.load32_splat(keys, 24));
      d = xor(d, v128.load32_splat(keys, 28));
      w = substitute1w(a, b, c, d);
      x = substitute1x(a, b, c, d);
      y = substitute1y(a, b, c, d);
      z = substitute1z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S2
      a = xor(a, v128.load32_splat(keys, 32));
      b = xor(b, v128.load32_splat(keys, 36));
      c = xor(c, v128.load32_splat(keys, 40));
      d = xor(d, v128.load32_splat(keys, 44));
      w = substitute2w(a, b, c, d);
      x = substitute2x(a, b, c, d);
      y = substitute2y(a, b, c, d);
      z = substitute2z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S3
      a = xor(a, v128.load32_splat(keys, 48));
      b = xor(b, v128.load32_splat(keys, 52));
      c = xor(c, v128.load32_splat(keys, 56));
      d = xor(d, v128.load32_splat(keys, 60));
      w = substitute3w(a, b, c, d);
      x = substitute3x(a, b, c, d);
      y = substitute3y(a, b, c, d);
      z = substitute3z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S4
      a = xor(a, v128.load32_splat(keys, 64));
      b = xor(b, v128.load32_splat(keys, 68));
      c = xor(c, v128.load32_splat(keys, 72));
      d = xor(d, v128.load32_splat(keys, 76));
      w = substitute4w(a, b, c, d);
      x = substitute4x(a, b, c, d);
      y = substitute4y(a, b, c, d);
      z = substitute4z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S5
      a = xor(a, v128.load32_splat(keys, 80));
      b = xor(b, v128.load32_splat(keys, 84));
      c = xor(c, v128.load32_splat(keys, 88));
      d = xor(d, v128.load32_splat(keys, 92));
      w = substitute5w(a, b, c, d);
      x = substitute5x(a, b, c, d);
      y = substitute5y(a, b, c, d);
      z = substitute5z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S6
      a = xor(a, v128.load32_splat(keys, 96));
      b = xor(b, v128.load32_splat(keys, 100));
      c = xor(c, v128.load32_splat(keys, 104));
      d = xor(d, v128.load32_splat(keys, 108));
      w = substitute6w(a, b, c, d);
      x = substitute6x(a, b, c, d);
      y = substitute6y(a, b, c, d);
      z = substitute6z(a, b, c, d);
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      // S7
      a = xor(a, v128.load32_splat(keys, 112));
      b = xor(b, v128.load32_splat(keys, 116));
      c = xor(c, v128.load32_splat(keys, 120));
      d = xor(d, v128.load32_splat(keys, 124));
      w = substitute7w(a, b, c, d);
      x = substitute7x(a, b, c, d);
      y = substitute7y(a, b, c, d);
      z = substitute7z(a, b, c, d);
      if (octet == 3) break;
      a = rotate(w, 13);
      c = rotate(y, 3);
      b = rotate(xor3(x, a, c), 1);
      d = rotate(xor3(z, c, i32x4.shl(a, 3)), 7);
      a = rotate(xor3(a, b, d), 5);
      c = rotate(xor3(c, d, i32x4.shl(b, 7)), 22);
      keys += 128;
    }
    a = xor(w, v128.load32_splat(keys, 128));
    b = xor(x, v128.load32_splat(keys, 132));
    c = xor(y, v128.load32_splat(keys, 136));
    d = xor(z, v128.load32_splat(keys, 140));
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
