// What XTS needs beside the block cipher: tweaks, and the two XOR passes. All addresses are bytes in the slab.
//
// Tweaks run in chains: the first block of a chain has a tweak that is given, each further block the double of the one
// before. One chain is at most 1 KiB, so that a unit of 4 KiB gives four of them; four run side by side.

/** From the first tweak of each of `count` units makes those of all its chains (`perUnit` of 1 KiB). */
export function writeChains(source: usize, target: usize, count: i32, perUnit: i32): void {
  for (let index = 0; index < count; index++) {
    let low = load<u64>(source);
    let high = load<u64>(source, 8);
    for (let chain = 0; chain < perUnit; chain++) {
      store<u64>(target, low);
      store<u64>(target, high, 8);
      // Times x^64: the high half moves up past x^128, which is x^7 + x^2 + x + 1.
      const folded = high ^ (high << 1) ^ (high << 2) ^ (high << 7);
      const over = (high >> 63) ^ (high >> 62) ^ (high >> 57);
      high = low ^ over;
      low = folded;
      target += 16;
    }
    source += 16;
  }
}

function double(tweak: v128, reduction: v128): v128 {
  // Each half's topmost bit, spread over the 32-bit lane in which its carry belongs.
  const carries = i32x4.shr_s(v128.shuffle<i32>(tweak, tweak, 3, 3, 1, 1), 31);
  return v128.xor(i64x2.shl(tweak, 1), v128.and(carries, reduction));
}

/**
 * target = source XOR tweaks, over `count` chains of `length` bytes each (at most 1 KiB) that lie one behind the other.
 * `constant`: the address of 16 bytes that are the reduction, kept in memory so that it is loaded once.
 */
export function xorChains(
  chains: usize,
  count: i32,
  length: i32,
  source: usize,
  target: usize,
  constant: usize,
): void {
  const reduction = v128.load(constant);
  const stride = <usize>length;
  let index = 0;
  for (; index + 4 <= count; index += 4) {
    let a = v128.load(chains);
    let b = v128.load(chains, 16);
    let c = v128.load(chains, 32);
    let d = v128.load(chains, 48);
    const end = source + stride;
    let from = source;
    let to = target;
    while (from < end) {
      const fromB = from + stride;
      const fromC = fromB + stride;
      const fromD = fromC + stride;
      const toB = to + stride;
      const toC = toB + stride;
      const toD = toC + stride;
      v128.store(to, v128.xor(v128.load(from), a));
      v128.store(toB, v128.xor(v128.load(fromB), b));
      v128.store(toC, v128.xor(v128.load(fromC), c));
      v128.store(toD, v128.xor(v128.load(fromD), d));
      a = double(a, reduction);
      b = double(b, reduction);
      c = double(c, reduction);
      d = double(d, reduction);
      from += 16;
      to += 16;
    }
    chains += 64;
    source += 4 * stride;
    target += 4 * stride;
  }
  for (; index < count; index++) {
    let tweak = v128.load(chains);
    const end = source + stride;
    while (source < end) {
      v128.store(target, v128.xor(v128.load(source), tweak));
      tweak = double(tweak, reduction);
      source += 16;
      target += 16;
    }
    chains += 16;
  }
}
