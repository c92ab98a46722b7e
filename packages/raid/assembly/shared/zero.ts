/** 1 where all bytes are zero. `length`: a multiple of 64. */
export function isZero(address: usize, length: i32): i32 {
  const end = address + <usize>length;
  for (let from = address; from < end; from += 64) {
    const first = v128.or(v128.load(from), v128.load(from, 16));
    const second = v128.or(v128.load(from, 32), v128.load(from, 48));
    if (v128.any_true(v128.or(first, second))) return 0;
  }
  return 1;
}
