import { double, POLYNOMIALS, ZEROS } from "./field";

/** No address. */
export const NONE: u32 = 0xffffffff;

/** So much is done at a time: the sums of it stay in the first-level cache. */
export const BLOCK_LENGTH: usize = 4096;
/** Sources of one pass at most: they are read side by side, and only then are the sums written. */
export const PASS_MAX = 6;
/** Bytes of one source in the list: its address, and how often Q doubles before it is added. */
export const ENTRY = 8;

/**
 * Adds `k` sources with falling exponents, without gaps, to the sums at `p` and `q`; Q doubles `doublings` times before
 * the first of them. `isFresh`: nothing lies there yet. Inlined once for each `k`, so that only its own steps are left.
 */
@inline
function pass(
  k: i32,
  list: usize,
  at: usize,
  isFresh: bool,
  doublings: i32,
  p: usize,
  q: usize,
  tables: usize,
  length: usize,
): void {
  const zero = v128.load(tables, ZEROS);
  const polynomial = v128.load(tables, POLYNOMIALS);
  const s0: usize = k > 0 ? <usize>load<u32>(list, 0 * ENTRY) + at : 0;
  const s1: usize = k > 1 ? <usize>load<u32>(list, 1 * ENTRY) + at : 0;
  const s2: usize = k > 2 ? <usize>load<u32>(list, 2 * ENTRY) + at : 0;
  const s3: usize = k > 3 ? <usize>load<u32>(list, 3 * ENTRY) + at : 0;
  const s4: usize = k > 4 ? <usize>load<u32>(list, 4 * ENTRY) + at : 0;
  const s5: usize = k > 5 ? <usize>load<u32>(list, 5 * ENTRY) + at : 0;
  for (let i: usize = 0; i < length; i += 64) {
    let p0 = isFresh ? (k > 0 ? v128.load(s0 + i, 0) : zero) : v128.load(p + i, 0);
    let p1 = isFresh ? (k > 0 ? v128.load(s0 + i, 16) : zero) : v128.load(p + i, 16);
    let p2 = isFresh ? (k > 0 ? v128.load(s0 + i, 32) : zero) : v128.load(p + i, 32);
    let p3 = isFresh ? (k > 0 ? v128.load(s0 + i, 48) : zero) : v128.load(p + i, 48);
    let q0 = p0;
    let q1 = p1;
    let q2 = p2;
    let q3 = p3;
    if (!isFresh) {
      q0 = v128.load(q + i, 0);
      q1 = v128.load(q + i, 16);
      q2 = v128.load(q + i, 32);
      q3 = v128.load(q + i, 48);
      for (let rest = doublings; rest > 0; rest--) {
        q0 = double(q0, zero, polynomial);
        q1 = double(q1, zero, polynomial);
        q2 = double(q2, zero, polynomial);
        q3 = double(q3, zero, polynomial);
      }
      if (k > 0) {
        const d0 = v128.load(s0 + i, 0);
        const d1 = v128.load(s0 + i, 16);
        const d2 = v128.load(s0 + i, 32);
        const d3 = v128.load(s0 + i, 48);
        p0 = v128.xor(p0, d0);
        q0 = v128.xor(q0, d0);
        p1 = v128.xor(p1, d1);
        q1 = v128.xor(q1, d1);
        p2 = v128.xor(p2, d2);
        q2 = v128.xor(q2, d2);
        p3 = v128.xor(p3, d3);
        q3 = v128.xor(q3, d3);
      }
    }
    if (k > 1) {
      const d0 = v128.load(s1 + i, 0);
      const d1 = v128.load(s1 + i, 16);
      const d2 = v128.load(s1 + i, 32);
      const d3 = v128.load(s1 + i, 48);
      p0 = v128.xor(p0, d0);
      p1 = v128.xor(p1, d1);
      p2 = v128.xor(p2, d2);
      p3 = v128.xor(p3, d3);
      q0 = v128.xor(double(q0, zero, polynomial), d0);
      q1 = v128.xor(double(q1, zero, polynomial), d1);
      q2 = v128.xor(double(q2, zero, polynomial), d2);
      q3 = v128.xor(double(q3, zero, polynomial), d3);
    }
    if (k > 2) {
      const d0 = v128.load(s2 + i, 0);
      const d1 = v128.load(s2 + i, 16);
      const d2 = v128.load(s2 + i, 32);
      const d3 = v128.load(s2 + i, 48);
      p0 = v128.xor(p0, d0);
      p1 = v128.xor(p1, d1);
      p2 = v128.xor(p2, d2);
      p3 = v128.xor(p3, d3);
      q0 = v128.xor(double(q0, zero, polynomial), d0);
      q1 = v128.xor(double(q1, zero, polynomial), d1);
      q2 = v128.xor(double(q2, zero, polynomial), d2);
      q3 = v128.xor(double(q3, zero, polynomial), d3);
    }
    if (k > 3) {
      const d0 = v128.load(s3 + i, 0);
      const d1 = v128.load(s3 + i, 16);
      const d2 = v128.load(s3 + i, 32);
      const d3 = v128.load(s3 + i, 48);
      p0 = v128.xor(p0, d0);
      p1 = v128.xor(p1, d1);
      p2 = v128.xor(p2, d2);
      p3 = v128.xor(p3, d3);
      q0 = v128.xor(double(q0, zero, polynomial), d0);
      q1 = v128.xor(double(q1, zero, polynomial), d1);
      q2 = v128.xor(double(q2, zero, polynomial), d2);
      q3 = v128.xor(double(q3, zero, polynomial), d3);
    }
    if (k > 4) {
      const d0 = v128.load(s4 + i, 0);
      const d1 = v128.load(s4 + i, 16);
      const d2 = v128.load(s4 + i, 32);
      const d3 = v128.load(s4 + i, 48);
      p0 = v128.xor(p0, d0);
      p1 = v128.xor(p1, d1);
      p2 = v128.xor(p2, d2);
      p3 = v128.xor(p3, d3);
      q0 = v128.xor(double(q0, zero, polynomial), d0);
      q1 = v128.xor(double(q1, zero, polynomial), d1);
      q2 = v128.xor(double(q2, zero, polynomial), d2);
      q3 = v128.xor(double(q3, zero, polynomial), d3);
    }
    if (k > 5) {
      const d0 = v128.load(s5 + i, 0);
      const d1 = v128.load(s5 + i, 16);
      const d2 = v128.load(s5 + i, 32);
      const d3 = v128.load(s5 + i, 48);
      p0 = v128.xor(p0, d0);
      p1 = v128.xor(p1, d1);
      p2 = v128.xor(p2, d2);
      p3 = v128.xor(p3, d3);
      q0 = v128.xor(double(q0, zero, polynomial), d0);
      q1 = v128.xor(double(q1, zero, polynomial), d1);
      q2 = v128.xor(double(q2, zero, polynomial), d2);
      q3 = v128.xor(double(q3, zero, polynomial), d3);
    }
    v128.store(p + i, p0, 0);
    v128.store(p + i, p1, 16);
    v128.store(p + i, p2, 32);
    v128.store(p + i, p3, 48);
    v128.store(q + i, q0, 0);
    v128.store(q + i, q1, 16);
    v128.store(q + i, q2, 32);
    v128.store(q + i, q3, 48);
  }
}

/**
 * The sums of all sources over one block, which go to `p` and `q`. `start`: where P's sum to go on from lies, and a block
 * further Q's, or NONE.
 */
export function sum(
  list: usize,
  count: i32,
  tail: i32,
  start: usize,
  at: usize,
  p: usize,
  q: usize,
  tables: usize,
  length: usize,
): void {
  let isFresh = start == NONE;
  if (!isFresh) {
    if (p != start) memory.copy(p, start, length);
    if (q != start + BLOCK_LENGTH) memory.copy(q, start + BLOCK_LENGTH, length);
  }
  const end = list + <usize>count * ENTRY;
  let entry = list;
  while (entry < end) {
    const doublings = load<i32>(entry, 4);
    let k = 1;
    let next = entry + ENTRY;
    while (k < PASS_MAX && next < end && load<i32>(next, 4) == 1) {
      k++;
      next += ENTRY;
    }
    switch (k) {
      case 1:
        pass(1, entry, at, isFresh, doublings, p, q, tables, length);
        break;
      case 2:
        pass(2, entry, at, isFresh, doublings, p, q, tables, length);
        break;
      case 3:
        pass(3, entry, at, isFresh, doublings, p, q, tables, length);
        break;
      case 4:
        pass(4, entry, at, isFresh, doublings, p, q, tables, length);
        break;
      case 5:
        pass(5, entry, at, isFresh, doublings, p, q, tables, length);
        break;
      default:
        pass(PASS_MAX, entry, at, isFresh, doublings, p, q, tables, length);
    }
    isFresh = false;
    entry = next;
  }
  if (isFresh || tail > 0) pass(0, list, at, isFresh, tail, p, q, tables, length);
}
