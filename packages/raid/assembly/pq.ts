export { isZero } from "./shared/zero";

/** What becomes of the sums of a block: see `pq`. */
const STORE = 0;
const ADD = 1;
const CHECK = 2;
const RECOVER_ONE = 3;
const RECOVER_TWO = 4;

/** No address. */
const NONE: u32 = 0xffffffff;

/** Each byte times 2 in GF(2^8) with the polynomial 0x11d: the carry is the sign of the byte. */
// @ts-ignore: decorator
@inline
function double(value: v128, zero: v128, polynomial: v128): v128 {
  const carry = v128.and(i8x16.gt_s(zero, value), polynomial);
  return v128.xor(i8x16.add(value, value), carry);
}

/** Each byte times a factor, whose products with all low and all high halves of a byte are given. */
// @ts-ignore: decorator
@inline
function multiply(value: v128, low: v128, high: v128, nibble: v128): v128 {
  const below = i8x16.swizzle(low, v128.and(value, nibble));
  const above = i8x16.swizzle(high, v128.and(i16x8.shr_u(value, 4), nibble));
  return v128.xor(below, above);
}

/**
 * The two sums of RAID6 over `count` sources, 64 bytes at a time. `list` has 8 bytes for each, in descending order of
 * exponents: its address, and how often Q doubles before it is added; Q doubles `tail` times after the last. `start`:
 * where sums to go on from lie, P's and `length` bytes further Q's, or NONE. Then, by `mode`:
 *
 * STORE: the sums go to `p` and `q`. ADD: they are added to what lies there. CHECK: they are compared with what lies
 * there; 1 is returned where P differs, 2 where Q does, 3 where both do. In all three, NONE means that it is not wanted.
 * RECOVER_ONE: Q's sum and `q` give, times the factor of `tables`, the missing source, which goes to `x`; P's sum and
 * that go to `y`, if wanted. RECOVER_TWO: with `p` and `q` and the two factors of `tables`, two missing sources go to `x` and `y`.
 * `length` is a multiple of 64; nothing needs to be aligned.
 */
export function pq(
  mode: i32,
  list: usize,
  count: i32,
  tail: i32,
  start: usize,
  p: usize,
  q: usize,
  x: usize,
  y: usize,
  tables: usize,
  length: i32,
): i32 {
  const zero = i8x16.splat(0);
  const polynomial = i8x16.splat(0x1d);
  const nibble = i8x16.splat(0x0f);
  const end = list + ((<usize>count) << 3);
  let pDiffers = zero;
  let qDiffers = zero;
  for (let at: usize = 0; at < <usize>length; at += 64) {
    let p0 = zero;
    let p1 = zero;
    let p2 = zero;
    let p3 = zero;
    let q0 = zero;
    let q1 = zero;
    let q2 = zero;
    let q3 = zero;
    if (start != NONE) {
      const from = start + at;
      p0 = v128.load(from);
      p1 = v128.load(from, 16);
      p2 = v128.load(from, 32);
      p3 = v128.load(from, 48);
      const qFrom = from + <usize>length;
      q0 = v128.load(qFrom);
      q1 = v128.load(qFrom, 16);
      q2 = v128.load(qFrom, 32);
      q3 = v128.load(qFrom, 48);
    }
    for (let entry = list; entry < end; entry += 8) {
      const from = <usize>load<u32>(entry) + at;
      for (let doublings = load<i32>(entry, 4); doublings > 0; doublings--) {
        q0 = double(q0, zero, polynomial);
        q1 = double(q1, zero, polynomial);
        q2 = double(q2, zero, polynomial);
        q3 = double(q3, zero, polynomial);
      }
      const d0 = v128.load(from);
      const d1 = v128.load(from, 16);
      const d2 = v128.load(from, 32);
      const d3 = v128.load(from, 48);
      p0 = v128.xor(p0, d0);
      p1 = v128.xor(p1, d1);
      p2 = v128.xor(p2, d2);
      p3 = v128.xor(p3, d3);
      q0 = v128.xor(q0, d0);
      q1 = v128.xor(q1, d1);
      q2 = v128.xor(q2, d2);
      q3 = v128.xor(q3, d3);
    }
    for (let doublings = tail; doublings > 0; doublings--) {
      q0 = double(q0, zero, polynomial);
      q1 = double(q1, zero, polynomial);
      q2 = double(q2, zero, polynomial);
      q3 = double(q3, zero, polynomial);
    }
    if (mode != STORE) {
      if (p != NONE) {
        const from = p + at;
        p0 = v128.xor(p0, v128.load(from));
        p1 = v128.xor(p1, v128.load(from, 16));
        p2 = v128.xor(p2, v128.load(from, 32));
        p3 = v128.xor(p3, v128.load(from, 48));
      }
      if (q != NONE) {
        const from = q + at;
        q0 = v128.xor(q0, v128.load(from));
        q1 = v128.xor(q1, v128.load(from, 16));
        q2 = v128.xor(q2, v128.load(from, 32));
        q3 = v128.xor(q3, v128.load(from, 48));
      }
    }
    if (mode <= ADD) {
      if (p != NONE) {
        const to = p + at;
        v128.store(to, p0);
        v128.store(to, p1, 16);
        v128.store(to, p2, 32);
        v128.store(to, p3, 48);
      }
      if (q != NONE) {
        const to = q + at;
        v128.store(to, q0);
        v128.store(to, q1, 16);
        v128.store(to, q2, 32);
        v128.store(to, q3, 48);
      }
    } else if (mode == CHECK) {
      if (p != NONE) pDiffers = v128.or(pDiffers, v128.or(v128.or(p0, p1), v128.or(p2, p3)));
      if (q != NONE) qDiffers = v128.or(qDiffers, v128.or(v128.or(q0, q1), v128.or(q2, q3)));
    } else {
      const low = v128.load(tables);
      const high = v128.load(tables, 16);
      q0 = multiply(q0, low, high, nibble);
      q1 = multiply(q1, low, high, nibble);
      q2 = multiply(q2, low, high, nibble);
      q3 = multiply(q3, low, high, nibble);
      if (mode == RECOVER_TWO) {
        const pLow = v128.load(tables, 32);
        const pHigh = v128.load(tables, 48);
        q0 = v128.xor(q0, multiply(p0, pLow, pHigh, nibble));
        q1 = v128.xor(q1, multiply(p1, pLow, pHigh, nibble));
        q2 = v128.xor(q2, multiply(p2, pLow, pHigh, nibble));
        q3 = v128.xor(q3, multiply(p3, pLow, pHigh, nibble));
      }
      const to = x + at;
      v128.store(to, q0);
      v128.store(to, q1, 16);
      v128.store(to, q2, 32);
      v128.store(to, q3, 48);
      if (y != NONE) {
        const yTo = y + at;
        v128.store(yTo, v128.xor(p0, q0));
        v128.store(yTo, v128.xor(p1, q1), 16);
        v128.store(yTo, v128.xor(p2, q2), 32);
        v128.store(yTo, v128.xor(p3, q3), 48);
      }
    }
  }
  return (v128.any_true(pDiffers) ? 1 : 0) | (v128.any_true(qDiffers) ? 2 : 0);
}

/** target = target XOR source times a factor, given by its products as in `pq`. `length`: a multiple of 32. */
export function multiplyAdd(source: usize, target: usize, tables: usize, length: i32): void {
  const low = v128.load(tables);
  const high = v128.load(tables, 16);
  const nibble = i8x16.splat(0x0f);
  for (let at: usize = 0; at < <usize>length; at += 32) {
    const from = source + at;
    const to = target + at;
    const first = multiply(v128.load(from), low, high, nibble);
    const second = multiply(v128.load(from, 16), low, high, nibble);
    v128.store(to, v128.xor(v128.load(to), first));
    v128.store(to, v128.xor(v128.load(to, 16), second), 16);
  }
}
