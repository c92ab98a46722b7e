export { isZero } from "./shared/zero";

/**
 * XOR of several pieces of memory: target = the XOR of `count` sources, whose addresses stand as 32-bit numbers at
 * `list`. The target may be the first of them. `length` is a multiple of 128; nothing needs to be aligned.
 */
export function xor(target: usize, list: usize, count: i32, length: i32): void {
  const first = <usize>load<u32>(list);
  const end = list + ((<usize>count) << 2);
  for (let at: usize = 0; at < <usize>length; at += 128) {
    let from = first + at;
    let a = v128.load(from);
    let b = v128.load(from, 16);
    let c = v128.load(from, 32);
    let d = v128.load(from, 48);
    let e = v128.load(from, 64);
    let f = v128.load(from, 80);
    let g = v128.load(from, 96);
    let h = v128.load(from, 112);
    for (let entry = list + 4; entry < end; entry += 4) {
      from = <usize>load<u32>(entry) + at;
      a = v128.xor(a, v128.load(from));
      b = v128.xor(b, v128.load(from, 16));
      c = v128.xor(c, v128.load(from, 32));
      d = v128.xor(d, v128.load(from, 48));
      e = v128.xor(e, v128.load(from, 64));
      f = v128.xor(f, v128.load(from, 80));
      g = v128.xor(g, v128.load(from, 96));
      h = v128.xor(h, v128.load(from, 112));
    }
    const to = target + at;
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    v128.store(to, e, 64);
    v128.store(to, f, 80);
    v128.store(to, g, 96);
    v128.store(to, h, 112);
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
