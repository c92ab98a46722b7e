export { isZero } from "./shared/zero";

/** So much is done at a time where there are more sources than one pass takes: the sum of it stays in the first-level cache. */
const BLOCK_LENGTH: usize = 4096;
/** Sources of one pass at most: they are read side by side, and only then is the sum written. */
const PASS_MAX = 6;

/**
 * target = XOR of `k` sources over one block: the first lies at `first`, the addresses of the others stand in the list;
 * `at` counts from there. Inlined once for each `k`, so that only its own steps are left.
 */
@inline
function pass(k: i32, target: usize, first: usize, list: usize, at: usize, length: usize): void {
  const s1: usize = k > 1 ? <usize>load<u32>(list, 0) + at : 0;
  const s2: usize = k > 2 ? <usize>load<u32>(list, 4) + at : 0;
  const s3: usize = k > 3 ? <usize>load<u32>(list, 8) + at : 0;
  const s4: usize = k > 4 ? <usize>load<u32>(list, 12) + at : 0;
  const s5: usize = k > 5 ? <usize>load<u32>(list, 16) + at : 0;
  for (let i: usize = 0; i < length; i += 128) {
    let a = v128.load(first + i);
    let b = v128.load(first + i, 16);
    let c = v128.load(first + i, 32);
    let d = v128.load(first + i, 48);
    let e = v128.load(first + i, 64);
    let f = v128.load(first + i, 80);
    let g = v128.load(first + i, 96);
    let h = v128.load(first + i, 112);
    if (k > 1) {
      a = v128.xor(a, v128.load(s1 + i));
      b = v128.xor(b, v128.load(s1 + i, 16));
      c = v128.xor(c, v128.load(s1 + i, 32));
      d = v128.xor(d, v128.load(s1 + i, 48));
      e = v128.xor(e, v128.load(s1 + i, 64));
      f = v128.xor(f, v128.load(s1 + i, 80));
      g = v128.xor(g, v128.load(s1 + i, 96));
      h = v128.xor(h, v128.load(s1 + i, 112));
    }
    if (k > 2) {
      a = v128.xor(a, v128.load(s2 + i));
      b = v128.xor(b, v128.load(s2 + i, 16));
      c = v128.xor(c, v128.load(s2 + i, 32));
      d = v128.xor(d, v128.load(s2 + i, 48));
      e = v128.xor(e, v128.load(s2 + i, 64));
      f = v128.xor(f, v128.load(s2 + i, 80));
      g = v128.xor(g, v128.load(s2 + i, 96));
      h = v128.xor(h, v128.load(s2 + i, 112));
    }
    if (k > 3) {
      a = v128.xor(a, v128.load(s3 + i));
      b = v128.xor(b, v128.load(s3 + i, 16));
      c = v128.xor(c, v128.load(s3 + i, 32));
      d = v128.xor(d, v128.load(s3 + i, 48));
      e = v128.xor(e, v128.load(s3 + i, 64));
      f = v128.xor(f, v128.load(s3 + i, 80));
      g = v128.xor(g, v128.load(s3 + i, 96));
      h = v128.xor(h, v128.load(s3 + i, 112));
    }
    if (k > 4) {
      a = v128.xor(a, v128.load(s4 + i));
      b = v128.xor(b, v128.load(s4 + i, 16));
      c = v128.xor(c, v128.load(s4 + i, 32));
      d = v128.xor(d, v128.load(s4 + i, 48));
      e = v128.xor(e, v128.load(s4 + i, 64));
      f = v128.xor(f, v128.load(s4 + i, 80));
      g = v128.xor(g, v128.load(s4 + i, 96));
      h = v128.xor(h, v128.load(s4 + i, 112));
    }
    if (k > 5) {
      a = v128.xor(a, v128.load(s5 + i));
      b = v128.xor(b, v128.load(s5 + i, 16));
      c = v128.xor(c, v128.load(s5 + i, 32));
      d = v128.xor(d, v128.load(s5 + i, 48));
      e = v128.xor(e, v128.load(s5 + i, 64));
      f = v128.xor(f, v128.load(s5 + i, 80));
      g = v128.xor(g, v128.load(s5 + i, 96));
      h = v128.xor(h, v128.load(s5 + i, 112));
    }
    v128.store(target + i, a);
    v128.store(target + i, b, 16);
    v128.store(target + i, c, 32);
    v128.store(target + i, d, 48);
    v128.store(target + i, e, 64);
    v128.store(target + i, f, 80);
    v128.store(target + i, g, 96);
    v128.store(target + i, h, 112);
  }
}

/** The pass for so many sources. */
function passOf(k: i32, target: usize, first: usize, list: usize, at: usize, length: usize): void {
  switch (k) {
    case 1:
      return pass(1, target, first, list, at, length);
    case 2:
      return pass(2, target, first, list, at, length);
    case 3:
      return pass(3, target, first, list, at, length);
    case 4:
      return pass(4, target, first, list, at, length);
    case 5:
      return pass(5, target, first, list, at, length);
    default:
      return pass(PASS_MAX, target, first, list, at, length);
  }
}

/**
 * XOR of several pieces of memory: target = the XOR of `count` sources, whose addresses stand as 32-bit numbers at
 * `list`. The target may be the first of them, and lies on no other. `length` is a multiple of 128; nothing needs to be
 * aligned.
 */
export function xor(target: usize, list: usize, count: i32, length: i32): void {
  if (count <= PASS_MAX) return passOf(count, target, <usize>load<u32>(list), list + 4, 0, length);
  for (let at: usize = 0; at < <usize>length; at += BLOCK_LENGTH) {
    const rest = <usize>length - at;
    const size = rest < BLOCK_LENGTH ? rest : BLOCK_LENGTH;
    const to = target + at;
    // What the passes before have summed up is one of the sources of each that follows.
    let first = <usize>load<u32>(list) + at;
    for (let done = 1; done < count;) {
      const left = count - done;
      const more = left < PASS_MAX - 1 ? left : PASS_MAX - 1;
      passOf(1 + more, to, first, list + ((<usize>done) << 2), at, size);
      first = to;
      done += more;
    }
  }
}

/** 1 where the XOR of `count` sources, listed as in `xor`, is zero. `length`: a multiple of 64. */
export function xorIsZero(list: usize, count: i32, length: i32): i32 {
  const first = <usize>load<u32>(list);
  const end = list + ((<usize>count) << 2);
  for (let at: usize = 0; at < <usize>length; at += 64) {
    let from = first + at;
    let a = v128.load(from);
    let b = v128.load(from, 16);
    let c = v128.load(from, 32);
    let d = v128.load(from, 48);
    for (let entry = list + 4; entry < end; entry += 4) {
      from = <usize>load<u32>(entry) + at;
      a = v128.xor(a, v128.load(from));
      b = v128.xor(b, v128.load(from, 16));
      c = v128.xor(c, v128.load(from, 32));
      d = v128.xor(d, v128.load(from, 48));
    }
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) return 0;
  }
  return 1;
}
