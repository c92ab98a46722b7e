import { multiply, NIBBLES } from "./shared/field";
import { BLOCK_LENGTH, ENTRY, NONE, PASS_MAX, sum } from "./shared/pq-sums";

export { isZero } from "./shared/zero";

/** What becomes of the sums: see `pq`. */
const STORE = 0;
const CHECK = 1;
const RECOVER_ONE = 2;

/** True where two ranges differ. */
function differ(a: usize, b: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i += 64) {
    const first = v128.xor(v128.load(a + i), v128.load(b + i));
    const second = v128.xor(v128.load(a + i, 16), v128.load(b + i, 16));
    const third = v128.xor(v128.load(a + i, 32), v128.load(b + i, 32));
    const fourth = v128.xor(v128.load(a + i, 48), v128.load(b + i, 48));
    if (v128.any_true(v128.or(v128.or(first, second), v128.or(third, fourth)))) return true;
  }
  return false;
}

/** What is missing from Q's sum at `sums`, times the first factor, goes to `x`; P's sum and that go to `y`, if wanted. */
function recoverOne(sums: usize, q: usize, x: usize, y: usize, tables: usize, length: usize): void {
  const low = v128.load(tables);
  const high = v128.load(tables, 16);
  const nibble = v128.load(tables, NIBBLES);
  for (let i: usize = 0; i < length; i += 16) {
    const lost = v128.xor(v128.load(sums + BLOCK_LENGTH + i), v128.load(q + i));
    const found = multiply(lost, low, high, nibble);
    const p = v128.load(sums + i);
    v128.store(x + i, found);
    if (y != NONE) v128.store(y + i, v128.xor(p, found));
  }
}

/** What is missing from both sums, times both factors, goes to `x`; that and what is missing from P's to `y`. */
function recoverTwo(sums: usize, p: usize, q: usize, x: usize, y: usize, tables: usize, length: usize): void {
  const low = v128.load(tables);
  const high = v128.load(tables, 16);
  const pLow = v128.load(tables, 32);
  const pHigh = v128.load(tables, 48);
  const nibble = v128.load(tables, NIBBLES);
  for (let i: usize = 0; i < length; i += 16) {
    const pLost = v128.xor(v128.load(sums + i), v128.load(p + i));
    const qLost = v128.xor(v128.load(sums + BLOCK_LENGTH + i), v128.load(q + i));
    const found = v128.xor(multiply(qLost, low, high, nibble), multiply(pLost, pLow, pHigh, nibble));
    v128.store(x + i, found);
    v128.store(y + i, v128.xor(pLost, found));
  }
}

/**
 * The two sums of RAID6 over `count` sources, block after block. `list` has 8 bytes for each, in descending order of
 * exponents: its address, and how often Q doubles before it is added; Q doubles `tail` times after the last. `start`:
 * where P's sum to go on from lies, and a block further Q's, or NONE: then `length` is a block at most. `sums` has
 * room for a block of both, and may be `start`. Then, by `mode`:
 *
 * STORE: the sums go to `p` and `q`. CHECK: they are compared with what lies there; 1 is returned where P differs, 2
 * where Q does, 3 where both do. In both, NONE means that it is not wanted.
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
  sums: usize,
  p: usize,
  q: usize,
  x: usize,
  y: usize,
  tables: usize,
  length: i32,
): i32 {
  let flags = 0;
  // Sums that no second pass needs again may leave the cache.
  const isSingle = mode == STORE && count <= PASS_MAX && start == NONE && p != NONE && q != NONE;
  const step: usize = isSingle ? <usize>length : BLOCK_LENGTH;
  for (let at: usize = 0; at < <usize>length; at += step) {
    const rest = <usize>length - at;
    const size = rest < step ? rest : step;
    const pTo = mode == STORE && p != NONE ? p + at : sums;
    const qTo = mode == STORE && q != NONE ? q + at : sums + BLOCK_LENGTH;
    sum(list, count, tail, start, at, pTo, qTo, tables, size);
    if (mode == CHECK) {
      if (p != NONE && differ(sums, p + at, size)) flags |= 1;
      if (q != NONE && differ(sums + BLOCK_LENGTH, q + at, size)) flags |= 2;
    } else if (mode == RECOVER_ONE) {
      recoverOne(sums, q + at, x + at, y == NONE ? y : y + at, tables, size);
    } else if (mode != STORE) {
      recoverTwo(sums, p + at, q + at, x + at, y + at, tables, size);
    }
  }
  return flags;
}

/**
 * The sum of `count` sources, listed as for `pq`, is added to what lies at `p`, and times a factor, given by its
 * `products`, to what lies at `q`. NONE: not wanted. `length`: a multiple of 32.
 */
export function addTo(
  list: usize,
  count: i32,
  p: usize,
  q: usize,
  products: usize,
  tables: usize,
  length: i32,
): void {
  const low = v128.load(products);
  const high = v128.load(products, 16);
  const nibble = v128.load(tables, NIBBLES);
  const first = <usize>load<u32>(list);
  const end = list + <usize>count * ENTRY;
  for (let at: usize = 0; at < <usize>length; at += 32) {
    let a = v128.load(first + at);
    let b = v128.load(first + at, 16);
    for (let entry = list + ENTRY; entry < end; entry += ENTRY) {
      const from = <usize>load<u32>(entry) + at;
      a = v128.xor(a, v128.load(from));
      b = v128.xor(b, v128.load(from, 16));
    }
    if (p != NONE) {
      const to = p + at;
      v128.store(to, v128.xor(v128.load(to), a));
      v128.store(to, v128.xor(v128.load(to, 16), b), 16);
    }
    if (q != NONE) {
      const to = q + at;
      v128.store(to, v128.xor(v128.load(to), multiply(a, low, high, nibble)));
      v128.store(to, v128.xor(v128.load(to, 16), multiply(b, low, high, nibble)), 16);
    }
  }
}
